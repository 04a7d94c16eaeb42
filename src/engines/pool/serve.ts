import { isMainThread, parentPort, workerData, type MessagePort } from "node:worker_threads";
import type { NamedTensors } from "../../core/engine.ts";
import { messageOf } from "../../core/errors.ts";
import { Gate } from "./gate.ts";
import { PackageError } from "./native-package.ts";
import type { FromWorker, ModelReport, Refusal, ToWorker, WorkerStart, WorkerStats } from "./protocol.ts";

/** One loaded model on the worker's side. The pool calls one method at a time, and none after `release`. */
export interface Executor {
  readonly report: ModelReport;
  run(feeds: NamedTensors): NamedTensors | Promise<NamedTensors>;
  stats(): WorkerStats;
  release(): void | Promise<void>;
}

/**
 * The main function of every worker: loads a model, answers the parent's messages one after the other, and leaves when
 * told to.
 *
 * The thread ends by itself when the port is closed and nothing else is open on it; nobody stops it from outside.
 */
export async function serve<Options>(loadExecutor: (options: Options) => Promise<Executor>): Promise<void> {
  const port = parentPort;
  if (port === null) throw new Error("this file is the code of a worker thread: an engine starts it");
  const { gate: shared, options } = workerData as WorkerStart;
  const gate = new Gate(shared);
  const begun = await inside(gate, () =>
    // The engine's own code passes these options with this worker's file.
    loadExecutor(options as Options).catch((cause: unknown): Refusal => refusalOf(cause)),
  );
  if ("reason" in begun) {
    post(port, { kind: "refused", refusal: begun });
    port.close();
    return;
  }
  let turn: Promise<void> = Promise.resolve();
  port.on("message", (message: ToWorker) => {
    turn = turn.then(() => answer(message, port, gate, begun));
  });
  post(port, { kind: "ready", report: { ...begun.report, isMainThread } });
}

async function answer(message: ToWorker, port: MessagePort, gate: Gate, executor: Executor): Promise<void> {
  switch (message.kind) {
    case "run":
      return run(message.feeds, port, gate, executor);
    case "stats":
      return post(port, { kind: "stats", stats: executor.stats() });
    case "leave":
      await inside(gate, () => executor.release());
      return port.close();
  }
}

async function run(feeds: NamedTensors, port: MessagePort, gate: Gate, executor: Executor): Promise<void> {
  let outputs: NamedTensors;
  try {
    outputs = await inside(gate, () => executor.run(feeds));
  } catch (cause) {
    return post(port, { kind: "failed", cause: portable(cause) });
  }
  post(port, { kind: "done", outputs }, buffersOf(outputs));
}

/**
 * Calls native code. When the process is ending it calls nothing and never resolves: the thread is about to be stopped,
 * and may be.
 */
async function inside<T>(gate: Gate, call: () => T | Promise<T>): Promise<T> {
  if (!gate.enter()) return new Promise<never>(() => {});
  try {
    return await call();
  } finally {
    gate.leave();
  }
}

function buffersOf(outputs: NamedTensors): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const { data } of Object.values(outputs)) {
    if (data.buffer instanceof ArrayBuffer && data.byteLength === data.buffer.byteLength) buffers.add(data.buffer);
  }
  return [...buffers];
}

function refusalOf(cause: unknown): Refusal {
  if (!(cause instanceof PackageError)) return { reason: "model", cause: portable(cause) };
  const { packageName, missing } = cause;
  return { reason: "package", packageName, missing, cause: portable(cause.cause) };
}

/** An error that survives the way to another thread, whatever was thrown: message and stack, no class and no fields. */
function portable(cause: unknown): Error {
  const error = new Error(messageOf(cause));
  if (cause instanceof Error && cause.stack !== undefined) error.stack = cause.stack;
  return error;
}

function post(port: MessagePort, message: FromWorker, transfer: readonly ArrayBuffer[] = []): void {
  port.postMessage(message, [...transfer]);
}
