/** Element types that cross the boundary to an engine. `int64` is read and written as `BigInt64Array`. */
export type TensorType = "uint8" | "float32" | "int32" | "int64";

export type TensorData = Uint8Array | Float32Array | Int32Array | BigInt64Array;

/** A dense row-major array. `data.length` is the product of `shape`; a `[]` shape is a scalar. */
export interface Tensor {
  readonly type: TensorType;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** Tensors by the names that the model gives to its inputs or outputs. */
export type NamedTensors = Readonly<Record<string, Tensor>>;

/** One input or output of a model, as its file declares it. `-1` in `shape` is a free dimension (rows). */
export interface TensorInfo {
  readonly name: string;
  readonly type: TensorType;
  readonly shape: readonly number[];
}

export interface EngineInfo {
  /** `onnx`, `tfjs-node` or `tfjs-wasm`; a user's own engine may have another name. */
  readonly name: string;
  /** Version of the library that executes the model. */
  readonly version: string;
  /** SHA-256 of the model's weights, lower-case hex: of the `.onnx` file, or of the weight files in manifest order. */
  readonly modelSha256: string;
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  /** Most `run` calls that make progress at the same time: the number of workers. Minimum 1. */
  readonly concurrency: number;
  /** Whether the model executes on the thread that this code runs on; false for every engine of the library. */
  readonly isMainThread: boolean;
}

/**
 * Executes one model, off the event loop.
 *
 * `run` takes tensors by input name and resolves to tensors by output name. Calls may overlap; results may come in
 * any order. The buffers under the input's `data` are detached by the call: they move to the
 * worker. A `data` that is a view of part of its buffer is copied instead.
 * A `signal` that aborts makes the call reject with `StoppedError` when it has not begun; a run that has begun ends by itself.
 *
 * `close` waits for runs that have begun, then frees the model and its threads. Later runs reject with `StoppedError`.
 *
 * Errors: `ERR_INFERENCE` for a wrong name, type or shape, or when the model itself fails; `ERR_ENGINE` when the
 * worker died under the call; `ERR_STOPPED` after `close`.
 */
export interface Engine {
  run(feeds: NamedTensors, options?: { readonly signal?: AbortSignal }): Promise<NamedTensors>;
  readonly info: EngineInfo;
  close(): Promise<void>;
}

/** Opens an engine: loads the native library and the model. Rejects with `ConfigError` when either can't be loaded. */
export type EngineSource = () => Promise<Engine>;
