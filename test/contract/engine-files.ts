import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";

const folder = resolve("model", "artifacts", "cnn");

/** The committed network in both forms. */
export const network = {
  onnx: resolve(folder, "cnn.onnx"),
  layers: resolve(folder, "layers", "model.json"),
  weights: resolve(folder, "layers", "weights.bin"),
} as const;

/** SHA-256 of a file, lower-case hex; empty when it is not there. */
export function sha256Of(path: string): string {
  return existsSync(path) ? createHash("sha256").update(readFileSync(path)).digest("hex") : "";
}
