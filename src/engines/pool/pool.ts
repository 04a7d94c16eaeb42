import type { Engine, EngineInfo, NamedTensors } from "../../core/engine.ts";
import { checkFeeds, detach, load } from "./feeds.ts";
import { PendingRun } from "./pending-run.ts";
import {
  aborted,
  closed,
  hangs,
  modelChanged,
  modelFailed,
  notLoaded,
  notSendable,
  noWorkerLeft,
  workerDied,
} from "./pool-errors.ts";
import type { PoolSpec } from "./pool-spec.ts";
import { PooledWorker, StartError, type Job, type WorkerSpec } from "./pooled-worker.ts";
import type { WorkerReport, WorkerStats } from "./protocol.ts";
import { isHeld, watchPool } from "./rest.ts";

// A worker that died is replaced after this time, twice that time when the next one dies without having answered a run,
// and so on.
const firstDelayMs = 100;
const longestDelayMs = 10_000;

/**
 * Starts the workers and resolves when each has loaded the model.
 *
 * Errors: `ERR_CONFIG` when one of them can't; then all of them are gone.
 */
export async function openPool(spec: PoolSpec): Promise<WorkerPool> {
  const pool = new WorkerPool(spec);
  await pool.open();
  return pool;
}

/**
 * An engine that executes each run on the next free one of its worker threads; runs wait in order of arrival while none
 * is free.
 *
 * An open pool keeps the process alive only while a run is under way. A worker that dies takes its run with it
 * (`ERR_ENGINE`) and is replaced; runs that wait meanwhile go to the replacement, or fail with `ERR_ENGINE` when no
 * worker is left and the replacement can't be started. A run that hangs can't be cut off: the pool is given up with it,
 * and `close` does not wait for it.
 */
export class WorkerPool implements Engine {
  readonly #spec: PoolSpec;
  readonly #ready = new Set<PooledWorker>();
  readonly #loading = new Set<Promise<unknown>>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #restWaiters: (() => void)[] = [];
  #queue: PendingRun[] = [];
  #outstanding = 0;
  #crashesInARow = 0;
  #info: EngineInfo | undefined;
  #closed: Promise<void> | undefined;
  /** Why nothing is executed any more. */
  #hung: Error | undefined;
  #unwatch: () => void = () => {};

  /** Use `openPool`. */
  constructor(spec: PoolSpec) {
    this.#spec = spec;
  }

  get info(): EngineInfo {
    // `openPool` gives no pool away before its first worker has said this.
    if (this.#info === undefined) throw closed(this.#spec);
    return this.#info;
  }

  /** Loads the model in every worker, for `openPool`. */
  async open(): Promise<void> {
    this.#unwatch = watchPool({ rest: () => this.#rest(), resume: () => this.#dispatch() });
    const starts = await Promise.allSettled(Array.from({ length: this.#spec.workers }, () => this.#start()));
    const failure = starts.find((start) => start.status === "rejected");
    if (failure === undefined) return;
    await this.close();
    throw failure.reason;
  }

  async run(feeds: NamedTensors, options: { readonly signal?: AbortSignal } = {}): Promise<NamedTensors> {
    if (this.#closed !== undefined) throw closed(this.#spec);
    if (options.signal?.aborted === true) throw aborted(options.signal);
    if (this.#hung !== undefined) throw this.#hung;
    checkFeeds(feeds, this.info.inputs);
    // Nothing is awaited before this point and the buffers leave here: the caller can't change them any more.
    return new Promise((resolve, reject) =>
      this.#admit(new PendingRun(load(feeds), { resolve, reject }), options.signal),
    );
  }

  /** Counts that each live worker keeps, such as `numTensors`. */
  async stats(): Promise<readonly WorkerStats[]> {
    if (this.#closed !== undefined) throw closed(this.#spec);
    this.#count(1);
    try {
      const stats = await Promise.all([...this.#ready].map((worker) => worker.stats()));
      return stats.filter((counts) => counts !== undefined);
    } finally {
      this.#count(-1);
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#shutDown();
    return this.#closed;
  }

  async #shutDown(): Promise<void> {
    for (const run of this.#queue.splice(0)) this.#finish(run, () => run.reject(closed(this.#spec)));
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    await Promise.allSettled(this.#loading);
    // `leave` is answered after the run in progress, so nothing is cut off.
    const leaving = [...this.#ready].filter(({ busy }) => this.#hung === undefined || !busy);
    await Promise.all(leaving.map((worker) => worker.leave()));
    this.#ready.clear();
    this.#unwatch();
    this.#wakeRest();
  }

  #admit(run: PendingRun, signal: AbortSignal | undefined): void {
    this.#count(1);
    const worker = this.#idleWorker();
    if (worker !== undefined) return this.#begin(run, worker);
    try {
      run.cargo = detach(run.cargo);
    } catch (cause) {
      return this.#finish(run, () => run.reject(notSendable(cause)));
    }
    this.#queue.push(run);
    if (signal !== undefined) run.watch(signal, () => this.#withdraw(run, signal));
  }

  #withdraw(run: PendingRun, signal: AbortSignal): void {
    this.#queue = this.#queue.filter((queued) => queued !== run);
    this.#finish(run, () => run.reject(aborted(signal)));
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      const worker = this.#idleWorker();
      const run = worker && this.#queue.shift();
      if (worker === undefined || run === undefined) return;
      this.#begin(run, worker);
    }
  }

  #idleWorker(): PooledWorker | undefined {
    if (isHeld() || this.#closed !== undefined || this.#hung !== undefined) return undefined;
    for (const worker of this.#ready) if (!worker.busy) return worker;
    return undefined;
  }

  #begin(run: PendingRun, worker: PooledWorker): void {
    run.unwatch();
    try {
      worker.run(this.#jobOf(run));
      run.timer = setTimeout(() => this.#giveUp(run), this.#spec.maxRunMs);
    } catch (cause) {
      this.#finish(run, () => run.reject(notSendable(cause)));
    }
  }

  #jobOf(run: PendingRun): Job {
    return {
      cargo: run.cargo,
      done: (outputs) => {
        this.#crashesInARow = 0;
        this.#finish(run, () => run.resolve(outputs));
      },
      failed: (cause) => {
        this.#finish(run, () => run.reject(modelFailed(this.#spec, cause)));
      },
      lost: (cause) => {
        this.#finish(run, () => run.reject(workerDied(this.#spec, cause)));
      },
    };
  }

  #giveUp(run: PendingRun): void {
    const error = hangs(this.#spec);
    this.#hung = error;
    for (const each of [run, ...this.#queue.splice(0)]) this.#finish(each, () => each.reject(error));
  }

  #finish(run: PendingRun, settle: () => void): void {
    if (run.over) return;
    run.over = true;
    clearTimeout(run.timer);
    run.unwatch();
    this.#count(-1);
    settle();
  }

  /** An engine with work to do keeps the process alive, one without does not. */
  #count(change: 1 | -1): void {
    const before = this.#outstanding;
    this.#outstanding += change;
    if (before === 0 || this.#outstanding === 0) this.#hold();
  }

  #hold(): void {
    const held = this.#outstanding > 0;
    for (const worker of this.#ready) worker.hold(held);
    for (const timer of this.#timers) {
      if (held) timer.ref();
      else timer.unref();
    }
  }

  #start(): Promise<void> {
    const start = this.#startOne().finally(() => {
      this.#loading.delete(start);
      this.#wakeRest();
    });
    this.#loading.add(start);
    return start;
  }

  async #startOne(): Promise<void> {
    const { name, file, options } = this.#spec;
    const spec: WorkerSpec = { file, name: `millrace-${name}`, options };
    const worker = new PooledWorker(spec, {
      idle: () => this.#afterRun(),
      died: (dead) => this.#afterDeath(dead),
    });
    try {
      await worker.loaded;
      this.#adopt(worker.report);
    } catch (cause) {
      await worker.leave();
      throw cause instanceof StartError ? notLoaded(this.#spec, cause) : cause;
    }
    this.#ready.add(worker);
    this.#hold();
    this.#dispatch();
  }

  #adopt(report: WorkerReport): void {
    const { isMainThread, version, modelSha256, inputs, outputs } = report;
    if (this.#info !== undefined && this.#info.modelSha256 !== modelSha256) {
      // Results are stamped with the hash: two models in one engine would make it a lie.
      throw modelChanged(this.#spec);
    }
    const { name, workers: concurrency } = this.#spec;
    this.#info ??= Object.freeze({ name, version, modelSha256, inputs, outputs, concurrency, isMainThread });
  }

  #afterRun(): void {
    this.#wakeRest();
    this.#dispatch();
  }

  #afterDeath(worker: PooledWorker): void {
    this.#ready.delete(worker);
    this.#wakeRest();
    this.#replace();
  }

  #replace(): void {
    if (this.#closed !== undefined) return;
    const delayMs = Math.min(firstDelayMs * 2 ** this.#crashesInARow, longestDelayMs);
    this.#crashesInARow += 1;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#start().catch((failure: unknown) => {
        if (this.#ready.size === 0) this.#failQueue(failure);
        this.#replace();
      });
    }, delayMs);
    this.#timers.add(timer);
    this.#hold();
  }

  #failQueue(cause: unknown): void {
    const error = noWorkerLeft(this.#spec, cause);
    for (const run of this.#queue.splice(0)) this.#finish(run, () => run.reject(error));
  }

  async #rest(): Promise<void> {
    while (this.#loading.size > 0 || [...this.#ready].some((worker) => worker.busy)) {
      await new Promise<void>((resolve) => this.#restWaiters.push(resolve));
    }
  }

  #wakeRest(): void {
    for (const wake of this.#restWaiters.splice(0)) wake();
  }
}
