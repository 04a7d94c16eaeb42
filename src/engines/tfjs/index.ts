import type { Engine } from "../../core/engine.ts";
import { ConfigError } from "../../core/errors.ts";
import { defaultMaxRunMs, modelPath, positiveInteger, workerBeside } from "../pool/options.ts";
import { openPool } from "../pool/pool.ts";
import type { TfjsBackend, TfjsWorkerOptions } from "./worker-options.ts";

/** Options of `tfjsNodeEngine` and `tfjsWasmEngine`. */
export interface TfjsEngineOptions {
  /**
   * The `model.json` of a TensorFlow.js LayersModel, with its weight files beside it: a path (relative ones start at
   * the working directory) or a `file:` URL.
   */
  readonly model: string | URL;
  /**
   * Worker threads, each with a copy of the model: so many runs make progress at the same time. Minimum 1. @default 1
   */
  readonly workers?: number;
  /**
   * Longest time that one run may take, milliseconds. A run that takes longer hangs; it can't be cut off, so the engine is given up: its runs fail with
   * `ERR_ENGINE`, from then on all at once. Minimum 1. @default 60_000
   */
  readonly maxRunMs?: number;
  /**
   * Makes the inputs `uint8` and multiplies them by this number in the worker: `1 / 255` for pixels and a model that
   * was trained on 0..1, `1` for a model that takes 0..255. Without it the inputs have the model's own type. Above 0.
   */
  readonly inputScale?: number;
  /** Name of the input, for a model with one; a model with several keeps the names of its layers. @default "pixels" */
  readonly inputName?: string;
  /** Name of the output, for a model with one; a model with several keeps the names of its layers. @default "scores" */
  readonly outputName?: string;
}

/** An engine on TensorFlow.js, which can say what its tensors hold. */
export interface TfjsEngine extends Engine {
  /**
   * Tensors that are alive in all workers together, the model's weights included, and their bytes. The same between any
   * two runs.
   */
  memory(): Promise<TfjsMemory>;
}

/** What TensorFlow.js holds. */
export interface TfjsMemory {
  readonly numTensors: number;
  readonly numBytes: number;
}

/**
 * Executes a TensorFlow.js LayersModel with TensorFlow's native library, on worker threads of this process.
 *
 * Needs the optional package `@tensorflow/tfjs-node`, which is loaded when the engine opens.
 *
 * Errors: `ERR_CONFIG` for a wrong option at once; when it opens, for a missing package or a model that can't be
 * loaded.
 */
export function tfjsNodeEngine(options: TfjsEngineOptions): () => Promise<TfjsEngine> {
  return tfjsEngine("tfjs-node", options);
}

/**
 * Executes a TensorFlow.js LayersModel with WebAssembly, on worker threads of this process: the engine that runs
 * wherever Node does.
 *
 * Errors: `ERR_CONFIG` for a wrong option at once; when it opens, for a model that can't be loaded.
 */
export function tfjsWasmEngine(options: TfjsEngineOptions): () => Promise<TfjsEngine> {
  return tfjsEngine("tfjs-wasm", options);
}

function tfjsEngine(backend: TfjsBackend, options: TfjsEngineOptions): () => Promise<TfjsEngine> {
  const model = modelPath(options.model);
  const workers = positiveInteger("workers", options.workers ?? 1);
  const maxRunMs = positiveInteger("maxRunMs", options.maxRunMs ?? defaultMaxRunMs);
  const workerOptions: TfjsWorkerOptions = {
    backend,
    model,
    inputScale: scaleOf(options.inputScale),
    inputName: options.inputName ?? "pixels",
    outputName: options.outputName ?? "scores",
  };
  const file = workerBeside(import.meta.url);
  return async () => {
    if (backend === "tfjs-node") quietTensorFlow();
    const pool = await openPool({ name: backend, file, options: workerOptions, workers, maxRunMs, model, remedy });
    return {
      info: pool.info,
      run: (feeds, runOptions) => pool.run(feeds, runOptions),
      close: () => pool.close(),
      memory: async () => {
        const stats = await pool.stats();
        const sum = (name: string): number => stats.reduce((total, counts) => total + (counts[name] ?? 0), 0);
        return { numTensors: sum("numTensors"), numBytes: sum("numBytes") };
      },
    } satisfies TfjsEngine;
  };
}

/**
 * TensorFlow's library prints about oneDNN and the CPU's instruction sets when it loads. It reads the environment of
 * the process, which a worker has a copy of only, so the variable is set here. A value that the user has set stays.
 */
function quietTensorFlow(): void {
  process.env["TF_CPP_MIN_LOG_LEVEL"] ??= "2"; // errors only
}

function scaleOf(inputScale: number | undefined): number | undefined {
  if (inputScale === undefined || (Number.isFinite(inputScale) && inputScale > 0)) return inputScale;
  throw new ConfigError(`option "inputScale": expected a number above 0, got ${inputScale}`);
}

function remedy(packageName: string): string {
  if (packageName !== "@tensorflow/tfjs-node") return `Install it: npm install ${packageName}`;
  return (
    `Install it: npm install ${packageName} (its installer downloads TensorFlow's library; where that fails npm drops ` +
    "the optional package without a word, and scripts/build-tfjs-node.sh of the millrace repository builds it)"
  );
}
