import type { LayersModel } from "@tensorflow/tfjs-layers";
import { buildCnn } from "./architecture.ts";
import { classCount, imagePixels, imageSide } from "./image-shape.ts";
import type { LabelledImages } from "./dataset.ts";
import { permutation, seededRandom } from "./random.ts";
import type { TensorFlow } from "./tensorflow.ts";

/** How the network is trained. Every number is part of the result: another one gives other weights. */
export interface TrainingOptions {
  /** Of the initial weights, the validation split and the order of the images in each epoch. @default 1 */
  readonly seed: number;
  /** Passes over the training images. Minimum 1. @default 12 */
  readonly epochs: number;
  /** Images per step. Minimum 1. @default 32 */
  readonly batchSize: number;
  /** Step size of stochastic gradient descent. @default 0.01 */
  readonly learningRate: number;
  /** Share of the last step that goes into the next one, 0..1. @default 0.9 */
  readonly momentum: number;
  /** Training images that are held out, to choose the epoch by. Minimum 1. @default 5_000 */
  readonly validationImages: number;
}

/**
 * The training of the committed network.
 *
 * Source: optimizer, step size, momentum and batch size are those of the system that this one replaces.
 */
export const trainingDefaults: TrainingOptions = {
  seed: 1,
  epochs: 12,
  batchSize: 32,
  learningRate: 0.01,
  momentum: 0.9,
  validationImages: 5_000,
};

/** One pass over the training images. */
export interface Epoch {
  /** 1 for the first. */
  readonly epoch: number;
  /** Mean categorical cross-entropy over the pass, nats. */
  readonly loss: number;
  /** Share of the held-out images that were named right after the pass, 0..1. */
  readonly validationAccuracy: number;
  readonly seconds: number;
}

/** A trained network, with the weights of the epoch that named most held-out images right. */
export interface Training {
  readonly model: LayersModel;
  /** The epoch whose weights `model` has; the earliest of equals. */
  readonly chosen: Epoch;
  readonly history: readonly Epoch[];
}

/**
 * Trains the network `cnn` on labelled images, on the calling thread.
 *
 * `onEpoch` is told each epoch when it ends. The test set has no part in this. Two runs of the defaults on one machine
 * gave the same bytes; on another kind of processor TensorFlow may add in another order, and the weights then differ
 * from the first steps on.
 */
export async function trainCnn(
  tf: TensorFlow,
  data: LabelledImages,
  options: TrainingOptions,
  onEpoch: (epoch: Epoch) => void,
): Promise<Training> {
  const random = seededRandom(options.seed);
  const order = permutation(data.labels.length, random);
  const held = order.subarray(0, options.validationImages);
  const used = order.subarray(options.validationImages);
  const model = buildCnn(tf, options.seed);
  model.compile({
    optimizer: tf.train.momentum(options.learningRate, options.momentum),
    loss: "categoricalCrossentropy",
  });

  const history: Epoch[] = [];
  let chosen: Epoch | undefined;
  let weights: Float32Array[] = [];
  for (let epoch = 1; epoch <= options.epochs; epoch += 1) {
    const began = performance.now();
    const shuffled = permutation(used.length, random).map((position) => used[position]!); // a permutation of its indices
    const loss = await trainEpoch(tf, model, data, shuffled, options.batchSize);
    const validationAccuracy = accuracyOn(tf, model, data, held);
    const done = { epoch, loss, validationAccuracy, seconds: (performance.now() - began) / 1_000 };
    history.push(done);
    onEpoch(done);
    if (chosen !== undefined && validationAccuracy <= chosen.validationAccuracy) continue;
    chosen = done;
    weights = model.getWeights().map((weight) => new Float32Array(weight.dataSync()));
  }
  if (chosen === undefined) throw new RangeError(`epochs: expected at least 1, got ${options.epochs}`);
  tf.tidy(() => model.setWeights(model.getWeights().map((weight, index) => tf.tensor(weights[index]!, weight.shape))));
  return { model, chosen, history };
}

/** One pass in the given order; resolves to the mean loss. The last batch may be smaller. */
async function trainEpoch(
  tf: TensorFlow,
  model: LayersModel,
  data: LabelledImages,
  order: Uint32Array,
  batchSize: number,
): Promise<number> {
  let total = 0;
  for (let start = 0; start < order.length; start += batchSize) {
    const indices = order.subarray(start, start + batchSize);
    const pixels = toTensor(tf, data.images, indices);
    const targets = tf.tidy(() =>
      tf.oneHot(
        tf.tensor1d(
          Array.from(indices, (index) => data.labels[index]!),
          "int32",
        ),
        classCount,
      ),
    );
    const loss = await model.trainOnBatch(pixels, targets);
    tf.dispose([pixels, targets]);
    total += Number(loss) * indices.length;
  }
  return total / order.length;
}

/** Share of the images at `indices` that the model names right, 0..1. */
function accuracyOn(tf: TensorFlow, model: LayersModel, data: LabelledImages, indices: Uint32Array): number {
  let right = 0;
  for (let start = 0; start < indices.length; start += 500) {
    const batch = indices.subarray(start, start + 500);
    const classes = tf.tidy(() => {
      const scores = model.predictOnBatch(toTensor(tf, data.images, batch));
      return tf.argMax(Array.isArray(scores) ? scores[0]! : scores, 1).dataSync();
    });
    batch.forEach((image, row) => {
      if (classes[row] === data.labels[image]) right += 1;
    });
  }
  return right / indices.length;
}

/** Gathers images by index into `[n, 28, 28, 1]` float32 in 0..1. */
function toTensor(tf: TensorFlow, images: Uint8Array, indices: Uint32Array): ReturnType<TensorFlow["tensor4d"]> {
  const values = new Float32Array(indices.length * imagePixels);
  indices.forEach((image, row) => {
    for (let pixel = 0; pixel < imagePixels; pixel += 1) {
      values[row * imagePixels + pixel] = images[image * imagePixels + pixel]! / 255; // inside by construction
    }
  });
  return tf.tensor4d(values, [indices.length, imageSide, imageSide, 1]);
}
