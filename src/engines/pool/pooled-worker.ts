import { Worker } from "node:worker_threads";
import type { NamedTensors } from "../../core/engine.ts";
import type { Cargo } from "./feeds.ts";
import { Gate } from "./gate.ts";
import type { FromWorker, Refusal, ToWorker, WorkerReport, WorkerStart, WorkerStats } from "./protocol.ts";
import { watchGate } from "./rest.ts";

/** One `run` on its way through the pool. */
export interface Job {
  readonly cargo: Cargo;
  /** The outputs, or what the model threw. The worker is free again when one of these is called. */
  done(outputs: NamedTensors): void;
  failed(cause: Error): void;
  /** The worker died under the run; `cause` is the uncaught error, when there was one. */
  lost(cause: Error): void;
}

/** What a worker tells its pool, each at most once per event. */
export interface WorkerOwner {
  /** The worker has answered its run and can take another one. */
  idle(): void;
  /** The thread ended without being asked to. Its job has been told already. */
  died(worker: PooledWorker): void;
}

/** The thread ended, or said no, before it was ready. `refusal` is undefined when it crashed. */
export class StartError extends Error {
  readonly refusal: Refusal | undefined;

  constructor(cause: Error, refusal?: Refusal) {
    super(cause.message, { cause });
    this.refusal = refusal;
  }
}

/** Which code a thread runs, and with which options (plain values). `name` is what debuggers and profilers show. */
export interface WorkerSpec {
  readonly file: URL;
  readonly name: string;
  readonly options: unknown;
}

/**
 * One thread with one loaded model, which executes one run at a time.
 *
 * It is never terminated: `leave` asks it to end and waits until it has. It keeps the process alive while it loads or
 * is held (`hold`), and not while it is idle.
 */
export class PooledWorker {
  /** Resolves when the model is loaded. Errors: `StartError`, once the thread is gone. */
  readonly loaded: Promise<void>;
  readonly #worker: Worker;
  readonly #owner: WorkerOwner;
  readonly #exited: Promise<void>;
  readonly #stats: ((stats: WorkerStats | undefined) => void)[] = [];
  #report: WorkerReport | undefined;
  #refusal: Refusal | undefined;
  #job: Job | undefined;
  #leaving = false;
  #fault = new Error("the worker thread ended by itself");

  constructor(spec: WorkerSpec, owner: WorkerOwner) {
    const gate = new Gate();
    const start: WorkerStart = { gate: gate.shared, options: spec.options };
    // A worker inherits the flags of the process. `--input-type`, as in `node --input-type=module -e …`, would make it
    // refuse its file.
    const evaluated = process.execArgv.some((argument) => argument.startsWith("--input-type"));
    const flags = evaluated ? { execArgv: [] } : {};
    const worker = new Worker(spec.file, { name: spec.name, workerData: start, ...flags });
    const unwatch = watchGate(gate);
    worker.on("messageerror", (error) => (this.#fault = error));
    worker.on("error", (error: Error) => (this.#fault = error));
    // The one event that always comes, and comes last.
    this.#exited = new Promise((resolve) => worker.once("exit", () => resolve()));
    void this.#exited.then(unwatch);
    this.loaded = new Promise((resolve, reject) => {
      worker.on("message", (message: FromWorker) => this.#take(message, resolve));
      void this.#exited.then(() => this.#end(reject));
    });
    this.#worker = worker;
    this.#owner = owner;
  }

  /** What the worker said of its model. Only read after `loaded` has resolved. */
  get report(): WorkerReport {
    if (this.#report === undefined) throw new Error("the worker is not ready");
    return this.#report;
  }

  get busy(): boolean {
    return this.#job !== undefined;
  }

  /** Sends a run to the thread. Throws, and stays free, when the feeds can't be sent. */
  run(job: Job): void {
    this.#post({ kind: "run", feeds: job.cargo.feeds }, job.cargo.transfer);
    this.#job = job;
  }

  /** Counts that the executor keeps; undefined when the thread ended first. Answered after the run in progress. */
  stats(): Promise<WorkerStats | undefined> {
    return new Promise((resolve) => {
      this.#stats.push(resolve);
      this.#post({ kind: "stats" });
    });
  }

  /** Whether the thread keeps the process alive. */
  hold(held: boolean): void {
    if (held || this.#leaving) this.#worker.ref();
    else this.#worker.unref();
  }

  /** Asks the thread to free its model and to end, after the run in progress. Resolves when it has ended. */
  leave(): Promise<void> {
    if (!this.#leaving) {
      this.#leaving = true;
      this.hold(true);
      this.#post({ kind: "leave" });
    }
    return this.#exited;
  }

  #take(message: FromWorker, ready: () => void): void {
    switch (message.kind) {
      case "ready":
        this.#report = message.report;
        return ready();
      case "refused":
        this.#refusal = message.refusal;
        return;
      case "done":
        return this.#answer((job) => job.done(message.outputs));
      case "failed":
        return this.#answer((job) => job.failed(message.cause));
      case "stats":
        return this.#stats.shift()?.(message.stats);
    }
  }

  #answer(tell: (job: Job) => void): void {
    const job = this.#job;
    this.#job = undefined;
    if (job !== undefined) tell(job);
    if (!this.#leaving) this.#owner.idle();
  }

  #end(notLoaded: (error: StartError) => void): void {
    for (const resolve of this.#stats.splice(0)) resolve(undefined);
    if (this.#report === undefined) {
      return notLoaded(new StartError(this.#refusal?.cause ?? this.#fault, this.#refusal));
    }
    const job = this.#job;
    this.#job = undefined;
    job?.lost(this.#fault);
    if (!this.#leaving) this.#owner.died(this);
  }

  #post(message: ToWorker, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, [...transfer]);
  }
}
