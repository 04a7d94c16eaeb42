/** The two ways to run TensorFlow.js; also the engines' names. */
export type TfjsBackend = "tfjs-node" | "tfjs-wasm";

/** What the engines pass to their worker. */
export interface TfjsWorkerOptions {
  readonly backend: TfjsBackend;
  /** Absolute path of `model.json`. */
  readonly model: string;
  readonly inputScale: number | undefined;
  readonly inputName: string;
  readonly outputName: string;
}
