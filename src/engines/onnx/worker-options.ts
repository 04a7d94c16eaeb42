/** What `onnxEngine` passes to its worker. */
export interface OnnxWorkerOptions {
  /** Absolute path of the `.onnx` file. */
  readonly model: string;
  readonly threads: number;
  readonly spinning: boolean;
}
