import { Subject, type Observable } from "rxjs";
import type { DrainReport } from "../core/broker.ts";
import { ConfigError, messageOf, ProcessError, StoppedError, StreamsError } from "../core/errors.ts";
import type { Model } from "../core/model.ts";
import type { Position, StreamRecord } from "../core/record.ts";
import { isOperator, type Topology } from "../topology/topology.ts";
import { appMetrics, type AppMetrics } from "./metrics.ts";
import { settingsOf, type Settings, type StreamsAppOptions } from "./options.ts";
import { Run } from "./run.ts";
import { StateMachine, type AppState } from "./state.ts";

const nothing: DrainReport = { settled: 0, released: 0, abandoned: 0 };

/**
 * A topology running on a broker.
 *
 * `start` opens models, then the broker's session; `close` drains. An app runs once: make a new one to run again.
 */
export class StreamsApp {
  readonly topology: Topology;
  /** Live counters. */
  readonly metrics: AppMetrics;
  private readonly settings: Settings;
  private readonly machine = new StateMachine();
  private readonly outputs: ReadonlyMap<string, Subject<StreamRecord<unknown, unknown>>>;
  private readonly models = new Map<string, Model<unknown, unknown>>();
  private readonly commits = new Subject<Position>();
  private readonly waiters = new Set<Waiter>();
  private run: Run | undefined = undefined;
  private failure: StreamsError | undefined = undefined;
  private opening: Promise<void> | undefined = undefined;
  private closing: Promise<DrainReport> | undefined = undefined;
  private ending: Promise<void> | undefined = undefined;
  /** Restarts since the last delivery was settled. */
  private restarts = { count: 0, settled: 0 };

  /** Errors: `ERR_CONFIG` for an option out of range, or for something that the broker lacks. */
  constructor(topology: Topology, options: StreamsAppOptions) {
    this.settings = settingsOf(topology, options);
    this.topology = topology;
    this.metrics = appMetrics(topology);
    this.outputs = new Map(topology.nodes.map(({ name }) => [name, new Subject()]));
  }

  get applicationId(): string {
    return this.settings.applicationId;
  }

  get state(): AppState {
    return this.machine.state;
  }

  /** The present state, then each new one; completes with `NOT_RUNNING` or `ERROR`. */
  get states(): Observable<AppState> {
    return this.machine.states;
  }

  /** Why the app is in `ERROR`. */
  get error(): StreamsError | undefined {
    return this.failure;
  }

  /** True while something is under way that will end by itself: a call, a batch, a write. What waits for a timer is not. */
  get busy(): boolean {
    return this.run?.busy ?? false;
  }

  /** Each position up to which (inclusive) a lane of the source is durably done; hot. */
  get committed(): Observable<Position> {
    return this.commits.asObservable();
  }

  /** Records in backoff before another attempt. */
  get backingOff(): number {
    return this.run?.backingOff ?? 0;
  }

  /**
   * Records behind the group's progress in each partition that this app holds, by `topic/partition`, as of the last fetch.
   * Empty where the broker has no offsets.
   */
  get lag(): ReadonlyMap<string, number> {
    return this.run?.lag ?? new Map();
  }

  /** Arrival of the oldest delivery in flight, milliseconds since the epoch; undefined without one. */
  get oldestArrival(): number | undefined {
    return this.run?.oldestArrival;
  }

  /**
   * What a node emits, from now on; hot. A node that ends a stream emits nothing.
   *
   * Errors: `ERR_CONFIG` for a name that the topology does not have.
   */
  results(nodeName: string): Observable<StreamRecord<unknown, unknown>> {
    const output = this.outputs.get(nodeName);
    if (output !== undefined) return output.asObservable();
    throw new ConfigError(`no node is named ${nodeName}; there are: ${[...this.outputs.keys()].join(", ")}`);
  }

  /**
   * Opens the models, then the session; resolves when deliveries flow.
   *
   * Errors: what a model or the broker answered, after which the app is in `ERROR`; `ERR_STOPPED` when it was started before, or is closed meanwhile.
   */
  async start(): Promise<void> {
    if (this.state !== "CREATED") throw new StoppedError(`an app starts once; this one is ${this.state}`);
    this.machine.to("REBALANCING");
    try {
      this.opening = this.openModels().then(() => this.openRun());
      await this.opening;
    } catch (cause) {
      await this.end(cause);
      throw this.failure ?? cause;
    }
    if (this.closing !== undefined) throw new StoppedError("the app was closed while it started");
  }

  /**
   * Resolves when so many deliveries have been settled since the start, dead-lettered ones included.
   *
   * Errors: `app.error` when the app fails before; `ERR_STOPPED` when it is closed before.
   */
  whenSettled(count: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiters.add({ count, resolve, reject });
      this.tellWaiters();
    });
  }

  /**
   * Stops intake, gives back what has not begun, waits up to `drainMs` milliseconds for the rest, and frees everything.
   *
   * The report counts the deliveries that were unsettled when it began. May be called more than once; the answer is the same.
   * @param options.drainMs @default 30_000
   */
  close(options: { readonly drainMs?: number } = {}): Promise<DrainReport> {
    this.closing ??= this.shutDown(options.drainMs ?? 30_000);
    return this.closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private async shutDown(drainMs: number): Promise<DrainReport> {
    if (!this.machine.may("PENDING_SHUTDOWN")) {
      await this.ending;
      return nothing;
    }
    this.machine.to("PENDING_SHUTDOWN");
    this.settings.logger.info({ applicationId: this.settings.applicationId }, "app is draining");
    await this.opening?.catch(() => {}); // whoever waits for it gets the error
    const report = (await this.run?.drain(drainMs)) ?? nothing;
    await this.closeModels();
    if (this.machine.may("NOT_RUNNING")) this.machine.to("NOT_RUNNING");
    this.completeResults();
    this.settings.logger.info({ applicationId: this.settings.applicationId, ...report }, "app is closed");
    return report;
  }

  private async openModels(): Promise<void> {
    for (const node of this.topology.nodes) {
      if (!isOperator(node) || node.model === undefined) continue;
      if (this.state !== "REBALANCING") return;
      this.models.set(node.name, await node.model());
    }
  }

  private async openRun(): Promise<void> {
    if (this.state !== "REBALANCING") return;
    const run = new Run({
      topology: this.topology,
      settings: this.settings,
      metrics: this.metrics,
      results: this.outputs,
      models: this.models,
      committed: this.commits,
      settled: () => {
        if (this.waiters.size > 0) this.tellWaiters();
      },
      failed: (error) => void this.broken(run, error),
    });
    this.run = run;
    await run.open();
    if (this.state !== "REBALANCING") return;
    this.machine.to("RUNNING");
    this.settings.logger.info(
      { applicationId: this.settings.applicationId, broker: this.settings.broker.name },
      "app is running",
    );
  }

  /** A run has failed: replaced, or the end of the app. */
  private async broken(run: Run, cause: unknown): Promise<void> {
    if (run !== this.run) return;
    const error = asStreamsError(cause);
    if (this.state !== "RUNNING" || !this.mayRestart(error)) return this.end(error);
    this.settings.logger.warn({ err: error }, "session and pipeline are replaced");
    this.machine.to("REBALANCING");
    this.metrics.restarts += 1;
    await run.halt();
    this.metrics.inFlight = 0;
    this.settings.scheduler.schedule(() => void this.reopen(), this.backoff());
  }

  private async reopen(): Promise<void> {
    try {
      this.opening = this.openRun();
      await this.opening;
    } catch (cause) {
      const error = asStreamsError(cause);
      if (!this.mayRestart(error)) return this.end(error);
      await this.run?.halt();
      this.settings.scheduler.schedule(() => void this.reopen(), this.backoff());
    }
  }

  private mayRestart(error: StreamsError): boolean {
    if (this.answerTo(error) !== "RETRY") return false;
    if (this.metrics.settled > this.restarts.settled) this.restarts = { count: 0, settled: this.metrics.settled };
    this.restarts.count += 1;
    return this.restarts.count < this.settings.retry.attempts;
  }

  private answerTo(error: StreamsError): "RETRY" | "FAIL" {
    const { errors, logger } = this.settings;
    try {
      return errors.uncaught?.(error) ?? "FAIL";
    } catch (err) {
      logger.error({ err }, "the handler of uncaught errors threw");
      return "FAIL";
    }
  }

  private backoff(): number {
    const { minDelayMs, maxDelayMs } = this.settings.retry;
    return Math.min(minDelayMs * 2 ** (this.restarts.count - 1), maxDelayMs);
  }

  /** Nothing is acked that was not done; models are closed when what runs in them has ended. */
  private end(cause: unknown): Promise<void> {
    this.ending ??= this.finish(asStreamsError(cause));
    return this.ending;
  }

  private async finish(error: StreamsError): Promise<void> {
    if (!this.machine.may("PENDING_ERROR")) return;
    this.failure = error;
    this.machine.to("PENDING_ERROR");
    this.settings.logger.error({ err: this.failure }, `app failed: ${this.failure.message}`);
    await this.run?.halt().catch((err: unknown) => this.settings.logger.warn({ err }, "closing the session failed"));
    await this.closeModels();
    this.machine.to("ERROR");
    this.completeResults();
  }

  private async closeModels(): Promise<void> {
    for (const model of this.models.values()) {
      await model.close().catch((err: unknown) => this.settings.logger.warn({ err }, "closing a model failed"));
    }
    this.models.clear();
  }

  private tellWaiters(): void {
    const over = this.state === "NOT_RUNNING" || this.state === "ERROR";
    for (const waiter of this.waiters) {
      const done = this.metrics.settled >= waiter.count;
      if (!done && !over) continue;
      this.waiters.delete(waiter);
      if (done) waiter.resolve();
      else
        waiter.reject(this.failure ?? new StoppedError(`closed when ${this.metrics.settled} deliveries were settled`));
    }
  }

  private completeResults(): void {
    for (const output of this.outputs.values()) output.complete();
    this.commits.complete();
    this.tellWaiters();
  }
}

/** Someone who waits for a number of settled deliveries. */
interface Waiter {
  readonly count: number;
  readonly resolve: () => void;
  readonly reject: (error: StreamsError) => void;
}

function asStreamsError(cause: unknown): StreamsError {
  if (cause instanceof StreamsError) return cause;
  return new ProcessError(messageOf(cause), "the app", { cause });
}
