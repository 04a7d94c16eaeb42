import type { EngineSource } from "../../core/engine.ts";
import { defaultMaxRunMs, modelPath, positiveInteger, workerBeside } from "../pool/options.ts";
import { openPool } from "../pool/pool.ts";
import type { OnnxWorkerOptions } from "./worker-options.ts";

/** Options of `onnxEngine`. */
export interface OnnxEngineOptions {
  /** The `.onnx` file: a path (relative ones start at the working directory) or a `file:` URL. */
  readonly model: string | URL;
  /**
   * Worker threads, each with a session of its own: so many runs make progress at the same time. Minimum 1. @default 1
   */
  readonly workers?: number;
  /**
   * Longest time that one run may take, milliseconds. A run that takes longer hangs; it can't be cut off, so the engine is given up: its runs fail with
   * `ERR_ENGINE`, from then on all at once. Minimum 1. @default 60_000
   */
  readonly maxRunMs?: number;
  /**
   * Threads that share one run, in each worker (ONNX Runtime's intra-op threads). One thread per worker has no such
   * pool and costs nothing while idle; two make large batches faster. Minimum 1. @default 1
   */
  readonly threads?: number;
  /**
   * Whether the threads of a session spin for work between runs, where `threads` is above 1. It makes single runs
   * faster by some 10 to 30 µs, and an idle engine burns a whole core. @default false
   */
  readonly spinning?: boolean;
}

/**
 * Executes an ONNX file with ONNX Runtime, on worker threads of this process.
 *
 * Needs the optional package `onnxruntime-node`, which is loaded when the engine opens. Inputs and outputs are those of
 * the file; their types must be among `uint8`, `float32`, `int32` and `int64`.
 *
 * An open engine does not keep the process alive; a run that is under way does. The process may end at any moment: its
 * end waits for the runs in progress.
 *
 * Errors: `ERR_CONFIG` for a wrong option at once; when it opens, for a missing package (with the remedy) or a file
 * that can't be loaded.
 */
export function onnxEngine(options: OnnxEngineOptions): EngineSource {
  const model = modelPath(options.model);
  const workers = positiveInteger("workers", options.workers ?? 1);
  const maxRunMs = positiveInteger("maxRunMs", options.maxRunMs ?? defaultMaxRunMs);
  const threads = positiveInteger("threads", options.threads ?? 1);
  const workerOptions: OnnxWorkerOptions = { model, threads, spinning: options.spinning ?? false };
  const file = workerBeside(import.meta.url);
  return () => openPool({ name: "onnx", file, options: workerOptions, workers, maxRunMs, model, remedy });
}

function remedy(packageName: string): string {
  const variable = "ONNXRUNTIME_NODE_INSTALL=skip";
  return (
    `Install it with ${variable} in the environment: ${variable} npm install ${packageName} ` +
    "(its post-install script downloads a CUDA build otherwise, and where that fails npm drops the optional package " +
    "without a word)"
  );
}
