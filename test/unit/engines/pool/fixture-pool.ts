import type { NamedTensors } from "../../../../src/core/engine.ts";
import { openPool, type WorkerPool } from "../../../../src/engines/pool/pool.ts";

/** What a run of `fixture-worker.js` does. */
export const actions = { answer: 0, fail: 1, crash: 2, leave: 3 } as const;

/** Feeds of a run that blocks its thread for so many milliseconds, and then does this. */
export function task(action: number, ms = 0): NamedTensors {
  return { task: { type: "int32", shape: [2], data: Int32Array.of(action, ms) } };
}

export interface FixtureOptions {
  readonly workers?: number;
  readonly maxRunMs?: number;
  readonly options?: object;
  /** @default fixture-worker.js */
  readonly file?: URL;
}

const worker = new URL("fixture-worker.js", import.meta.url);

/** A pool of workers without a native library. */
export function openFixture(given: FixtureOptions): Promise<WorkerPool> {
  const { workers = 1, maxRunMs = 60_000, options = {}, file = worker } = given;
  return openPool({
    name: "fixture",
    file,
    options: { starts: new SharedArrayBuffer(4), ...options },
    workers,
    maxRunMs,
    model: "a model",
    remedy: (packageName) => `Install ${packageName}.`,
  });
}
