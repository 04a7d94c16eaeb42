import type { NamedTensors, TensorInfo } from "../../core/engine.ts";

/** What the parent says to a worker. Runs are answered in the order in which they were asked. */
export type ToWorker =
  | { readonly kind: "run"; readonly feeds: NamedTensors }
  | { readonly kind: "stats" }
  | { readonly kind: "leave" };

/** What a worker says to its parent: `ready` or `refused` first, then one answer for each question. */
export type FromWorker =
  | { readonly kind: "ready"; readonly report: WorkerReport }
  | { readonly kind: "refused"; readonly refusal: Refusal }
  | { readonly kind: "done"; readonly outputs: NamedTensors }
  | { readonly kind: "failed"; readonly cause: Error }
  | { readonly kind: "stats"; readonly stats: WorkerStats };

/** What a worker is started with: the words of its gate, and the options of its engine (plain values). */
export interface WorkerStart {
  readonly gate: SharedArrayBuffer;
  readonly options: unknown;
}

/** A loaded model, as the library that executes it describes it. */
export interface ModelReport {
  /** Version of the library. */
  readonly version: string;
  /** SHA-256 of the weights, lower-case hex. */
  readonly modelSha256: string;
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
}

/** The same with what the worker alone can tell: whether its code runs on the main thread. */
export interface WorkerReport extends ModelReport {
  readonly isMainThread: boolean;
}

/** Why a worker can't begin: a package that can't be imported, or a model that can't be loaded. */
export type Refusal =
  | { readonly reason: "package"; readonly packageName: string; readonly missing: boolean; readonly cause: Error }
  | { readonly reason: "model"; readonly cause: Error };

/** Counts that a worker keeps, by name: `numTensors`. */
export type WorkerStats = Readonly<Record<string, number>>;
