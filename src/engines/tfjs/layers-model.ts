import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** A LayersModel as it lies on disk: what `tf.io.fromMemory` takes, and the hash of its weights. */
export interface LayersModelFiles {
  readonly modelTopology: object;
  readonly weightSpecs: readonly object[];
  /** All weight files, one after the other in the order of the manifest. */
  readonly weightData: ArrayBuffer;
  /** SHA-256 of `weightData`, lower-case hex. */
  readonly sha256: string;
}

interface ManifestGroup {
  readonly paths: readonly string[];
  readonly weights: readonly object[];
}

/**
 * Reads `model.json` and the weight files that it names. From files, because TensorFlow.js itself loads models over
 * `fetch`, which has no `file:`.
 */
export async function readLayersModel(path: string): Promise<LayersModelFiles> {
  const model = parse(await readFile(path, "utf8"));
  if (!isLayersModel(model)) {
    throw new Error("expected the model.json of a LayersModel, with modelTopology and weightsManifest");
  }
  const files = model.weightsManifest.flatMap((group) => group.paths);
  const weights = Buffer.concat(await Promise.all(files.map((file) => readFile(join(dirname(path), file)))));
  return {
    modelTopology: model.modelTopology,
    weightSpecs: model.weightsManifest.flatMap((group) => group.weights),
    // A copy of its own: Buffer.concat may have taken small weights from Node's shared pool.
    weightData: new Uint8Array(weights).buffer,
    sha256: createHash("sha256").update(weights).digest("hex"),
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    // The parser's own message quotes the file, which may be binary.
    throw new Error("expected the model.json of a LayersModel, got a file that is not JSON", { cause });
  }
}

function isLayersModel(model: unknown): model is { modelTopology: object; weightsManifest: readonly ManifestGroup[] } {
  if (typeof model !== "object" || model === null) return false;
  // A GraphModel has the same fields and says so; it has operations where this one has layers.
  if ("format" in model && model.format !== "layers-model") return false;
  return (
    "modelTopology" in model &&
    typeof model.modelTopology === "object" &&
    "weightsManifest" in model &&
    Array.isArray(model.weightsManifest) &&
    model.weightsManifest.every(isManifestGroup)
  );
}

function isManifestGroup(group: unknown): group is ManifestGroup {
  if (typeof group !== "object" || group === null) return false;
  return "paths" in group && Array.isArray(group.paths) && "weights" in group && Array.isArray(group.weights);
}
