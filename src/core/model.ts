/** Who answers: stamped on each result as `millrace-model` and `millrace-engine`. */
export interface ModelInfo {
  /** A name for people: `cnn`. */
  readonly name: string;
  /** SHA-256 of the weights, lower-case hex. */
  readonly sha256: string;
  /** The engine that executes it: `onnx`, `tfjs-node`, `tfjs-wasm`. */
  readonly engine: string;
  /** Most `predict` calls that make progress at the same time. Minimum 1. @default 1 */
  readonly concurrency?: number;
}

/**
 * A model as a topology sees it: values in, values out, batched.
 *
 * An input is one or more rows (images). `predict` gives one output per input, in the same order. An input that does not fit
 * into a batch is cut with `slice(input, from, to)` (rows, half-open) and its outputs are put together with `join`, in row order.
 *
 * Errors: `predict` rejects with `ERR_INFERENCE` (the input or the model is wrong) or `ERR_ENGINE` (crashed, may be tried again).
 */
export interface Model<I, O> {
  rows(input: I): number;
  predict(inputs: readonly I[]): Promise<readonly O[]>;
  slice(input: I, from: number, to: number): I;
  join(outputs: readonly O[]): O;
  readonly info: ModelInfo;
  close(): Promise<void>;
}

/** Opens a model. The app calls it at its start and closes what it gave at its end: a topology opens nothing. */
export type ModelSource<I, O> = () => Promise<Model<I, O>>;
