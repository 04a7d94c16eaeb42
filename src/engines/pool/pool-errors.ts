import { ConfigError, EngineError, InferenceError, StoppedError } from "../../core/errors.ts";
import type { PoolSpec } from "./pool-spec.ts";
import type { StartError } from "./pooled-worker.ts";

/** A call that came after `close`, or was cut short by it. */
export function closed({ name }: PoolSpec): StoppedError {
  return new StoppedError(`engine ${name} is closed`);
}

/** A run whose signal aborted before it began. */
export function aborted(signal: AbortSignal): StoppedError {
  return new StoppedError("the run was aborted before it began", { cause: signal.reason });
}

/** Feeds that `postMessage` refused. */
export function notSendable(cause: unknown): InferenceError {
  const question = "is one of its buffers detached or untransferable?";
  return new InferenceError(`the input can't be moved to the worker: ${question}`, { cause });
}

/** A run in which the model threw. */
export function modelFailed({ name, model }: PoolSpec, cause: Error): InferenceError {
  return new InferenceError(`${name}: the model failed: ${cause.message} (${model})`, { cause });
}

/** A run whose worker died. */
export function workerDied({ name }: PoolSpec, cause: Error): EngineError {
  return new EngineError(`${name}: the worker died under the run: ${cause.message}`, { cause });
}

/** A run that takes longer than runs may, and every one after it. */
export function hangs({ name, maxRunMs, model }: PoolSpec): EngineError {
  return new EngineError(
    `${name}: a run hangs: it has not ended within ${maxRunMs} ms, and can't be cut off (${model})`,
  );
}

/** A run that waited for a worker in vain. */
export function noWorkerLeft({ name }: PoolSpec, cause: unknown): EngineError {
  return new EngineError(`${name}: no worker is left and none can be started`, { cause });
}

/** A worker that loaded another model than the ones before it. */
export function modelChanged({ name, model }: PoolSpec): ConfigError {
  return new ConfigError(`${name}: the model changed while it was in use: ${model}`);
}

/** A worker that could not load its package or its model. */
export function notLoaded(spec: PoolSpec, error: StartError): ConfigError {
  const { refusal, message } = error;
  const options = { cause: error.cause };
  if (refusal?.reason === "package") {
    const what = refusal.missing ? "is not installed" : `can't be loaded: ${message}`;
    return new ConfigError(`${refusal.packageName} ${what}. ${spec.remedy(refusal.packageName)}`, options);
  }
  return new ConfigError(`${spec.name} can't load the model ${spec.model}: ${message}`, options);
}
