import { createRequire } from "node:module";
import { dirname, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import * as core from "@tensorflow/tfjs-core";
import * as layers from "@tensorflow/tfjs-layers";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { cnnArtifacts } from "../../model/artifacts.ts";
import { readFile } from "node:fs/promises";

/** Images per call, which bounds the memory of a call. */
const batch = 500;

/** Scores `[n * 10]` of images (784 bytes each) from the committed ONNX file, by ONNX Runtime. */
export async function onnxScores(images: Uint8Array): Promise<Float32Array> {
  const session = await InferenceSession.create(fileURLToPath(cnnArtifacts.onnx));
  return inBatches(images, async (pixels, count) => {
    const { scores } = await session.run({ pixels: new Tensor("uint8", pixels, [count, 28, 28, 1]) });
    return scores!.data as Float32Array; // the file declares float32
  });
}

/** The same from the committed LayersModel, by TensorFlow.js on WebAssembly. */
export async function layersScores(images: Uint8Array): Promise<Float32Array> {
  await startWasm();
  const json: unknown = JSON.parse(await readFile(cnnArtifacts.layers, "utf8"));
  const { modelTopology, weightsManifest } = json as {
    modelTopology: object;
    weightsManifest: core.io.WeightsManifestConfig;
  };
  const weightData = new Uint8Array(await readFile(cnnArtifacts.weights)).buffer;
  const weightSpecs = weightsManifest.flatMap(({ weights }) => weights);
  const model = await layers.loadLayersModel(core.io.fromMemory({ modelTopology, weightSpecs, weightData }));
  return inBatches(images, (pixels, count) => {
    const scores = core.tidy(() => {
      const input = core.tensor4d(
        Float32Array.from(pixels, (pixel) => pixel / 255),
        [count, 28, 28, 1],
      );
      return (model.predictOnBatch(input) as core.Tensor).dataSync(); // a model with one output gives one tensor
    });
    return Promise.resolve(Float32Array.from(scores));
  });
}

/** Makes WebAssembly the back-end of TensorFlow.js. */
export async function startWasm(): Promise<void> {
  setWasmPaths(dirname(createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm")) + sep);
  await core.setBackend("wasm");
}

/** The class with the highest score, for each ten scores. */
export function classesOf(scores: Float32Array): Uint8Array {
  return Uint8Array.from({ length: scores.length / 10 }, (_, image) => {
    const own = scores.subarray(10 * image, 10 * (image + 1));
    return own.indexOf(Math.max(...own));
  });
}

async function inBatches(
  images: Uint8Array,
  run: (pixels: Uint8Array, count: number) => Promise<Float32Array>,
): Promise<Float32Array> {
  const total = images.length / 784;
  const scores = new Float32Array(10 * total);
  for (let start = 0; start < total; start += batch) {
    const count = Math.min(batch, total - start);
    scores.set(await run(images.slice(784 * start, 784 * (start + count)), count), 10 * start);
  }
  return scores;
}
