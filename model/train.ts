/**
 * Trains the network `cnn`, and writes its files, its metadata and its model card: about six minutes on two cores.
 *
 *     npx tsx --conditions=source model/train.ts
 *
 * Needs tfjs-node (`bash scripts/build-tfjs-node.sh` where npm could not install it) and Fashion-MNIST (see
 * `dataset.ts`).
 */
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { classCount, imageSide } from "./image-shape.ts";
import { cnnArtifacts, type FormMetadata, type ModelMetadata, type TrainingMetadata } from "./artifacts.ts";
import { loadFashionMnist } from "./dataset.ts";
import { evaluateArtifacts } from "./evaluate.ts";
import { exportOnnx, inputName, outputName } from "./export-onnx.ts";
import { type DataFile, dataFiles } from "./files.ts";
import { labels } from "./labels.ts";
import { readLayersFile, writeLayersModel } from "./layers-file.ts";
import { loadTensorFlow, type TensorFlow } from "./tensorflow.ts";
import { trainCnn, type Training, trainingDefaults } from "./training.ts";

const paths = {
  onnx: fileURLToPath(cnnArtifacts.onnx),
  layers: fileURLToPath(cnnArtifacts.layers),
  weights: fileURLToPath(cnnArtifacts.weights),
  metadata: fileURLToPath(cnnArtifacts.metadata),
};

async function main(): Promise<void> {
  const tf = loadTensorFlow();
  const data = await loadFashionMnist({ split: "train" });
  const training = await trainCnn(tf, data, trainingDefaults, ({ epoch, loss, validationAccuracy, seconds }) => {
    console.log(
      `epoch ${epoch}: loss ${loss.toFixed(4)}, held-out accuracy ${validationAccuracy.toFixed(4)}, ${seconds.toFixed(1)} s`,
    );
  });
  await writeLayersModel(tf, training.model, dirname(paths.layers));
  await writeFile(paths.onnx, exportOnnx(await readLayersFile(paths.layers)));
  const metadata = await describe(training, describeTraining(tf, training, data.labels.length));
  await writeFile(paths.metadata, `${JSON.stringify(metadata, null, 2)}\n`);
  await evaluateArtifacts();
}

/** The metadata of what was written, without the accuracy on the test images: the evaluation adds that. */
async function describe({ model, chosen }: Training, training: TrainingMetadata): Promise<ModelMetadata> {
  const { train, test } = dataFiles;
  const files: readonly DataFile[] = [train.images, train.labels, test.images, test.labels];
  return {
    name: "cnn",
    description:
      "Conv2D 32 3×3 relu → MaxPool 2 → Flatten → Dense 100 relu → Dense 10 softmax, trained on Fashion-MNIST.",
    parameters: model.countParams(),
    labels,
    accuracy: { validation: chosen.validationAccuracy, test: 0 },
    onnx: {
      ...(await describeForm("cnn.onnx", "cnn.onnx", paths.onnx)),
      input: {
        name: inputName,
        type: "uint8",
        shape: [-1, imageSide, imageSide, 1],
        meaning: "pixels, 0 = background",
      },
      output: { name: outputName, type: "float32", shape: [-1, classCount], meaning: "probability of each class" },
    },
    layers: {
      ...(await describeForm("layers/model.json", "layers/weights.bin", paths.weights)),
      input: {
        name: model.inputNames[0]!,
        type: "float32",
        shape: [-1, imageSide, imageSide, 1],
        meaning: "pixels / 255",
      },
      output: {
        name: model.outputNames[0]!,
        type: "float32",
        shape: [-1, classCount],
        meaning: "probability of each class",
      },
    },
    training,
    data: {
      name: "Fashion-MNIST",
      license: "MIT",
      sha256: Object.fromEntries(files.map(({ name, sha256 }) => [name, sha256])),
    },
  };
}

async function describeForm(
  file: string,
  weights: string,
  path: string,
): Promise<Omit<FormMetadata, "input" | "output">> {
  const bytes = await readFile(path);
  return { file, weights, weightsSha256: createHash("sha256").update(bytes).digest("hex"), sizeBytes: bytes.length };
}

function describeTraining(tf: TensorFlow, { chosen, history }: Training, images: number): TrainingMetadata {
  const { seed, batchSize, learningRate, momentum, epochs, validationImages } = trainingDefaults;
  return {
    command: "npx tsx --conditions=source model/train.ts",
    library: `@tensorflow/tfjs-node ${tf.version["tfjs-node"]}`,
    seed,
    optimizer: `SGD, learning rate ${learningRate}, momentum ${momentum}`,
    batchSize,
    trainingImages: images - validationImages,
    validationImages,
    epochs,
    chosenEpoch: chosen.epoch,
    history: history.map(({ epoch, loss, validationAccuracy, seconds }) => ({
      epoch,
      loss: Number(loss.toFixed(6)),
      validationAccuracy,
      seconds: Number(seconds.toFixed(1)),
    })),
    seconds: Math.round(history.reduce((total, { seconds }) => total + seconds, 0)),
    endedAt: new Date().toISOString(),
  };
}

await main();
