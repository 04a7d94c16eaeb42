import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { ConfigError } from "../../core/errors.ts";

/** The absolute path of a model file. Errors: `ERR_CONFIG` for a URL that is not of a file. */
export function modelPath(model: string | URL): string {
  if (typeof model === "string") return resolve(model);
  if (model.protocol !== "file:")
    throw new ConfigError(`option "model": expected a path or a file: URL, got ${model.href}`);
  return fileURLToPath(model);
}

/** A count of at least 1. Errors: `ERR_CONFIG`. */
export function positiveInteger(option: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new ConfigError(`option "${option}": expected an integer of at least 1, got ${value}`);
}

/** What a run may take that gives no time of its own, milliseconds: far more than the slowest batch of a slow engine. */
export const defaultMaxRunMs = 60_000;

/**
 * The file of the worker that stands beside an engine's own file: `worker.js` as built; `worker.ts` where the engine
 * itself runs as TypeScript (tsx, or a Node that strips types).
 */
export function workerBeside(moduleUrl: string): URL {
  return new URL(moduleUrl.endsWith(".ts") ? "./worker.ts" : "./worker.js", moduleUrl);
}
