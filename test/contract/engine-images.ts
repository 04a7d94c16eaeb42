import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { Engine, NamedTensors, Tensor } from "millrace";

/** Pixels of one image. */
const imageSize = 28 * 28;

/** Class indices in one row of scores. */
export const classes = 10;

const folder = process.env["FASHION_MNIST_DIR"] ?? join("..", "shared", "fashion-mnist");

/** Whether the data set is on this machine. */
export const hasTestImages: boolean = existsSync(join(folder, "t10k-images-idx3-ubyte.gz"));

/** The 10,000 test images of Fashion-MNIST: pixels 0..255, row by row. */
export function readTestImages(): Uint8Array {
  return readIdx("t10k-images-idx3-ubyte.gz", 16);
}

/** `count` images that show nothing in particular, the same at each call. */
export function noise(count: number): Uint8Array {
  return Uint8Array.from({ length: count * imageSize }, (_, index) => (index * 7_919) % 251);
}

/** Feeds in a buffer of their own: the images `from` (inclusive) to `to` (exclusive). */
export function feedsOf(images: Uint8Array, from: number, to: number): NamedTensors {
  const data = images.slice(from * imageSize, to * imageSize);
  return { pixels: { type: "uint8", shape: [to - from, 28, 28, 1], data } };
}

/** The scores of the images, computed in batches of `batch`. */
export async function scoresOf(engine: Engine, images: Uint8Array, batch: number): Promise<Float32Array> {
  const count = images.length / imageSize;
  const scores = new Float32Array(count * classes);
  for (let from = 0; from < count; from += batch) {
    const to = Math.min(from + batch, count);
    const outputs = await engine.run(feedsOf(images, from, to));
    scores.set(floats(outputs["scores"]), from * classes);
  }
  return scores;
}

/** The class index with the highest score in each row. */
export function labelsOf(scores: Float32Array): number[] {
  return Array.from({ length: scores.length / classes }, (_, row) => {
    const values = scores.subarray(row * classes, (row + 1) * classes);
    return values.indexOf(Math.max(...values));
  });
}

/** The largest distance between two scores at the same place. */
export function distance(left: Float32Array, right: Float32Array): number {
  return left.reduce((most, score, index) => Math.max(most, Math.abs(score - (right[index] ?? Number.NaN))), 0);
}

/** The values of a float32 tensor. */
export function floats(tensor: Tensor | undefined): Float32Array {
  if (tensor?.data instanceof Float32Array) return tensor.data;
  throw new Error(`expected a float32 tensor, got ${tensor?.type ?? "none"}`);
}

function readIdx(file: string, headerBytes: number): Uint8Array {
  return new Uint8Array(gunzipSync(readFileSync(join(folder, file)))).subarray(headerBytes);
}
