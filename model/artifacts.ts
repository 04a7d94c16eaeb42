import { readFileSync } from "node:fs";

/** An input or output of a model file. `-1` in `shape` is a free dimension: the number of images. */
export interface PortMetadata {
  readonly name: string;
  readonly type: "uint8" | "float32";
  readonly shape: readonly number[];
  /** What the numbers mean. */
  readonly meaning: string;
}

/** One form of the network: a file with its weights, and its input and output. */
export interface FormMetadata {
  /** File that a runtime opens, relative to the folder of `metadata.json`. */
  readonly file: string;
  /** File that has the weights, relative to the same folder; the same as `file` for ONNX. */
  readonly weights: string;
  /** SHA-256 of the file `weights`, lower-case hex. */
  readonly weightsSha256: string;
  /** Size of the file `weights`, bytes. */
  readonly sizeBytes: number;
  readonly input: PortMetadata;
  readonly output: PortMetadata;
}

/** How the weights came about. */
export interface TrainingMetadata {
  /**
   * The command, from the root of the repository, that trains the network again and writes all files of this folder.
   */
  readonly command: string;
  /** Libraries and versions. */
  readonly library: string;
  readonly seed: number;
  readonly optimizer: string;
  readonly batchSize: number;
  /** Images that the weights were fitted to. */
  readonly trainingImages: number;
  /** Images of the training set that were held out to choose the epoch by. */
  readonly validationImages: number;
  /** Passes made, and the one whose weights were kept. */
  readonly epochs: number;
  readonly chosenEpoch: number;
  readonly history: readonly {
    readonly epoch: number;
    readonly loss: number;
    readonly validationAccuracy: number;
    readonly seconds: number;
  }[];
  /** Duration of all passes, seconds. */
  readonly seconds: number;
  /** When the training ended, ISO 8601 UTC. */
  readonly endedAt: string;
}

/** The content of `metadata.json`: what the committed network is, how good it is, and how it was made. */
export interface ModelMetadata {
  readonly name: string;
  readonly description: string;
  /** Number of weights and biases. */
  readonly parameters: number;
  /** Class names; a class index is a position in this list. */
  readonly labels: readonly string[];
  /** Share of images named right, 0..1: of the held-out ones, and of the 10,000 test images. */
  readonly accuracy: { readonly validation: number; readonly test: number };
  readonly onnx: FormMetadata;
  readonly layers: FormMetadata;
  readonly training: TrainingMetadata;
  /** The data set's files by name, with the SHA-256 of each, lower-case hex. */
  readonly data: { readonly name: string; readonly license: string; readonly sha256: Readonly<Record<string, string>> };
}

/** Where the files of the committed network `cnn` are. */
export interface ModelArtifacts {
  /** The network for ONNX Runtime. Input `pixels`, uint8 `[n, 28, 28, 1]`; output `scores`, float32 `[n, 10]`. */
  readonly onnx: URL;
  /**
   * The network for TensorFlow.js (`model.json` of a LayersModel). Input float32 `[n, 28, 28, 1]` in 0..1; output
   * float32 `[n, 10]`.
   */
  readonly layers: URL;
  /** The weights that `layers` names. */
  readonly weights: URL;
  readonly metadata: URL;
}

/** The files of the network `cnn`, beside this module both in the sources and in the built package. */
export const cnnArtifacts: ModelArtifacts = {
  onnx: new URL("./artifacts/cnn/cnn.onnx", import.meta.url),
  layers: new URL("./artifacts/cnn/layers/model.json", import.meta.url),
  weights: new URL("./artifacts/cnn/layers/weights.bin", import.meta.url),
  metadata: new URL("./artifacts/cnn/metadata.json", import.meta.url),
};

/** Reads `metadata.json` of the network `cnn`. */
export function readCnnMetadata(): ModelMetadata {
  // Our own file: `test/model/artifacts.test.ts` compares it with the files that it describes.
  return JSON.parse(readFileSync(cnnArtifacts.metadata, "utf8")) as ModelMetadata;
}
