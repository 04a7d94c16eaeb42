import { onnxEngine } from "millrace/onnx";
import { network } from "./engine-files.ts";
import { readTestImages, scoresOf } from "./engine-images.ts";

/** The scores of all 10,000 test images, from the onnx engine: one worker, one thread, batches of 100. */
export async function referenceScores(): Promise<Float32Array> {
  const engine = await onnxEngine({ model: network.onnx })();
  try {
    return await scoresOf(engine, readTestImages(), 100);
  } finally {
    await engine.close();
  }
}
