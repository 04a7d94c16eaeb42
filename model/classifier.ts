import { autoEngine, ConfigError, engineModel, InferenceError } from "millrace";
import type { Logger, ModelSource, NamedTensors, TensorCodec } from "millrace";
import { classCount, imagePixels, imageSide } from "./image-shape.ts";
import { cnnArtifacts, readCnnMetadata } from "./artifacts.ts";

/** Images of a set by their indices: from `start` up to, and without, `end`. */
export interface ImageRange {
  readonly start: number;
  readonly end: number;
  /** Images that come with the range and that it refers to, instead of the set's: 784 bytes each. */
  readonly pixels?: Uint8Array;
}

/** What the network says about the images of a range, in the order of their indices. */
export interface Classification {
  /** The most probable class of each image, 0..9, see `labels.ts`. */
  readonly classes: Uint8Array;
  /** The probability of that class, 0..1. */
  readonly scores: Float32Array;
}

/** The images, and what executes the network. */
export interface ImageClassifierOptions {
  /** The images that ranges refer to: 784 bytes each, row by row, 0 = background. Not copied: it must not change. */
  readonly images: Uint8Array;
  /** What executes the network; `auto` takes the first that loads of the three, in this order. @default "auto" */
  readonly engine?: "auto" | "onnx" | "tfjs-node" | "tfjs-wasm";
  /** Worker threads that execute it: so many batches make progress at the same time. Minimum 1. @default 1 */
  readonly workers?: number;
  /** Told which engine was taken, and why others were not. @default silent */
  readonly logger?: Logger;
}

/**
 * The network `cnn` as a model that classifies ranges of images: index ranges in, classes and scores out.
 *
 * A range is all that travels through a topology: the pixels are gathered when a batch is formed, `[n, 28, 28, 1]`
 * uint8 in one buffer.
 *
 * Errors: `ERR_CONFIG` at once when `images` is not a whole number of images, and on opening when no engine loads; a
 * range that is empty, reversed or beyond the images rejects with `ERR_INFERENCE`.
 */
export function imageClassifier(options: ImageClassifierOptions): ModelSource<ImageRange, Classification> {
  const { images, engine = "auto", workers = 1, logger } = options;
  const codec = imageCodec(images);
  const source = autoEngine({
    onnx: { model: cnnArtifacts.onnx, workers },
    tfjs: { model: cnnArtifacts.layers, workers, inputScale: 1 / 255 },
    ...(engine !== "auto" && { prefer: [engine] }),
    ...(logger !== undefined && { logger }),
  });
  return engineModel(source, codec, { name: readCnnMetadata().name });
}

/**
 * Translates between ranges of `images` and the tensors of the network: input `pixels`, uint8 `[n, 28, 28, 1]`,
 * gathered into a new buffer for each batch; output `scores`, float32 `[n, 10]`.
 *
 * Errors: `ERR_CONFIG` when `images` is not a whole number of images; `encode` throws `ERR_INFERENCE` for a range that
 * is empty, reversed, not of integers, or beyond the images.
 */
export function imageCodec(images: Uint8Array): Required<TensorCodec<ImageRange, Classification>> {
  if (images.length % imagePixels !== 0) {
    throw new ConfigError(`images: expected a multiple of ${imagePixels} bytes, got ${images.length}`);
  }
  const count = images.length / imagePixels;
  return {
    rows: ({ start, end }) => end - start,
    slice: (range, from, to) => ({ ...range, start: range.start + from, end: range.start + to }),
    join: joinClassifications,
    encode: (ranges, rows) => {
      for (const range of ranges) checkRange(range, count);
      const pixels = new Uint8Array(rows * imagePixels);
      let offset = 0;
      for (const { start, end, pixels: own = images } of ranges) {
        pixels.set(own.subarray(start * imagePixels, end * imagePixels), offset);
        offset += (end - start) * imagePixels;
      }
      return { pixels: { type: "uint8", shape: [rows, imageSide, imageSide, 1], data: pixels } };
    },
    decode: decodeScores,
  };
}

function checkRange({ start, end, pixels }: ImageRange, images: number): void {
  const count = pixels === undefined ? images : pixels.length / imagePixels;
  if (Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start < end && end <= count) return;
  throw new InferenceError(`range [${start}, ${end}): expected integers, 0 <= start < end <= ${count}`);
}

function joinClassifications(parts: readonly Classification[]): Classification {
  const size = parts.reduce((total, { classes }) => total + classes.length, 0);
  const joined = { classes: new Uint8Array(size), scores: new Float32Array(size) };
  let offset = 0;
  for (const { classes, scores } of parts) {
    joined.classes.set(classes, offset);
    joined.scores.set(scores, offset);
    offset += classes.length;
  }
  return joined;
}

function decodeScores(outputs: NamedTensors, ranges: readonly ImageRange[]): readonly Classification[] {
  const probabilities = outputs["scores"]?.data;
  if (!(probabilities instanceof Float32Array))
    throw new InferenceError("output scores: expected float32, got something else or nothing");
  let row = 0;
  return ranges.map(({ start, end }) => {
    const size = end - start;
    const result = { classes: new Uint8Array(size), scores: new Float32Array(size) };
    for (let image = 0; image < size; image += 1, row += 1) {
      const best = largest(probabilities, row * classCount, classCount);
      result.classes[image] = best;
      result.scores[image] = probabilities[row * classCount + best]!;
    }
    return result;
  });
}

/** Position, counted from `offset`, of the largest of `count` values; the first of equals. */
function largest(values: Float32Array, offset: number, count: number): number {
  let best = 0;
  for (let position = 1; position < count; position += 1) {
    if (values[offset + position]! > values[offset + best]!) best = position;
  }
  return best;
}
