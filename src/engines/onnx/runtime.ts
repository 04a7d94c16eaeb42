import type { TensorData } from "../../core/engine.ts";
import { importPackage } from "../pool/native-package.ts";

/**
 * The slice of `onnxruntime-node` 1.30 that the worker uses. Declared here because the package is optional: this
 * library compiles without it.
 */
export interface OnnxRuntime {
  readonly Tensor: new (type: string, data: TensorData, dims: readonly number[]) => OnnxTensor;
  readonly InferenceSession: { create(path: string, options: OnnxSessionOptions): Promise<OnnxSession> };
  readonly env: { readonly versions: { readonly node?: string } };
}

/** A tensor on ONNX Runtime's side. `data` may be of a type that our contract does not have. */
export interface OnnxTensor {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: unknown;
}

/** A loaded model. `run` blocks the thread that calls it, although it returns a promise. */
export interface OnnxSession {
  readonly inputMetadata: readonly OnnxValue[];
  readonly outputMetadata: readonly OnnxValue[];
  run(feeds: Readonly<Record<string, OnnxTensor>>): Promise<Readonly<Record<string, OnnxTensor>>>;
  release(): Promise<void>;
}

/** An input or output as the file declares it. A free dimension is its name, or "". */
export interface OnnxValue {
  readonly name: string;
  readonly isTensor: boolean;
  readonly type?: string;
  readonly shape?: readonly (number | string)[];
}

/** Session options; `extra` is nested by the dots of ONNX Runtime's own keys. */
export interface OnnxSessionOptions {
  readonly intraOpNumThreads: number;
  readonly interOpNumThreads: number;
  readonly extra: { readonly session: { readonly intra_op: { readonly allow_spinning: "0" | "1" } } };
}

/** Imports `onnxruntime-node`. Errors: `PackageError`. */
export async function importOnnxRuntime(): Promise<OnnxRuntime> {
  // The package's own types are not used, see above.
  return (await importPackage("onnxruntime-node")) as OnnxRuntime;
}
