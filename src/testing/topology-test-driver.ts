import { memoryBroker, type MemoryBroker } from "../brokers/memory/index.ts";
import type { DrainReport } from "../core/broker.ts";
import { StoppedError } from "../core/errors.ts";
import type { OutgoingRecord, RawRecord } from "../core/record.ts";
import { stringSerde, type Deserializer, type Serializer } from "../core/serde.ts";
import type { AppMetrics } from "../runtime/metrics.ts";
import type { StreamsAppOptions } from "../runtime/options.ts";
import { StreamsApp } from "../runtime/streams-app.ts";
import type { Topology } from "../topology/topology.ts";
import { deadLetterOf, type DeadLetter } from "./dead-letter.ts";
import { quiet } from "./quiet.ts";
import { TestInputTopic, type InputSerdes } from "./test-input-topic.ts";
import { TestOutputTopic, type OutputSerdes } from "./test-output-topic.ts";
import { VirtualScheduler } from "./virtual-scheduler.ts";

/** What an app takes, except what the driver provides; and how the driver behaves. */
export interface TopologyTestDriverOptions extends Omit<StreamsAppOptions, "applicationId" | "broker" | "scheduler"> {
  /** @default "test" */
  readonly applicationId?: string;
  /** Partitions of topics that `topics` does not name. Minimum 1. @default 1 */
  readonly partitions?: number;
  /** Partitions by topic. */
  readonly topics?: Readonly<Record<string, number>>;
  /** The clock. Give one when functions of the topology use it as well. @default a new one */
  readonly scheduler?: VirtualScheduler;
  /** Whether calls reject with the app's error when it is in `ERROR`. @default true */
  readonly rejectOnError?: boolean;
}

/**
 * Runs a topology in a test: records in, records out, time by hand, faults by name.
 *
 * It starts a `StreamsApp` on a memory broker with a virtual clock, so what runs is what runs in production. Every call is asynchronous and resolves when
 * each delivery is settled or waits for a timer (or, in a processor, for another record). Promises and engines run in real time and are waited for; an Observable
 * in `mergeMap` or `concatMap` that takes real time is not: give it the driver's `scheduler`.
 */
export class TopologyTestDriver {
  /** The clock of the app and of the broker. */
  readonly scheduler: VirtualScheduler;
  /** For what the driver has no method for: `broker.faults.refuseWrites(…)`, `broker.committed(…)`. */
  readonly broker: MemoryBroker;
  private readonly topology: Topology;
  private readonly appOptions: StreamsAppOptions;
  private readonly deadLetterTopic: string;
  private readonly rejectOnError: boolean;
  /** Records that the test wrote, by topic. */
  private readonly piped = new Map<string, number>();
  private current: StreamsApp;
  private starting: Promise<void> | undefined = undefined;
  private closing: Promise<DrainReport> | undefined = undefined;
  private dying = false;

  /** Errors: `ERR_CONFIG` for an option out of range. */
  constructor(topology: Topology, options: TopologyTestDriverOptions = {}) {
    const { partitions = 1, topics = {}, scheduler = new VirtualScheduler(), rejectOnError = true, ...rest } = options;
    const { applicationId = "test", errors, deadLetterTopic = `${applicationId}.dlq` } = options;
    this.topology = topology;
    this.scheduler = scheduler;
    this.rejectOnError = rejectOnError;
    this.deadLetterTopic = deadLetterTopic;
    this.broker = memoryBroker({ partitions, retention: Number.MAX_SAFE_INTEGER });
    for (const [topic, count] of Object.entries(topics)) this.broker.createTopic(topic, count);
    this.appOptions = {
      ...rest,
      applicationId,
      broker: this.broker,
      // The app's own timers are told from those that functions of the topology set.
      scheduler: new VirtualScheduler(scheduler),
      errors: { ...errors, uncaught: (error) => (this.dying ? "FAIL" : (errors?.uncaught?.(error) ?? "FAIL")) },
    };
    this.current = new StreamsApp(topology, this.appOptions);
  }

  /** The app that runs now; `crash` replaces it. */
  get app(): StreamsApp {
    return this.current;
  }

  /** Counters of the app that runs now. */
  get metrics(): AppMetrics {
    return this.current.metrics;
  }

  /** A topic to write to. */
  createInputTopic<V, K = string>(topic: string, serdes: InputSerdes<K, V>): TestInputTopic<K, V> {
    // K is `string` when no key serde is given: the type parameter's default says so.
    const key = serdes.key ?? (stringSerde as Serializer<never> as Serializer<K>);
    return new TestInputTopic(
      topic,
      { ...serdes, key },
      () => this.scheduler.now(),
      (outs) => this.write(topic, outs),
    );
  }

  /** A topic to read from, its beginning first. */
  createOutputTopic<V, K = string>(topic: string, serdes: OutputSerdes<K, V>): TestOutputTopic<K, V> {
    const key = serdes.key ?? (stringSerde as Deserializer<unknown> as Deserializer<K>); // as above
    return new TestOutputTopic(topic, { ...serdes, key }, () => this.read(topic));
  }

  /**
   * Moves the clock by `ms` milliseconds. Timers run when they are due, and what they cause comes to rest before the next ones run.
   */
  async advanceWallClockTime(ms: number): Promise<void> {
    await this.settled();
    const end = this.scheduler.now() + ms;
    for (let next = this.scheduler.nextDue; next !== undefined && next <= end; next = this.scheduler.nextDue) {
      this.scheduler.advance(next - this.scheduler.now());
      await this.settled();
    }
    this.scheduler.advance(end - this.scheduler.now());
  }

  /** Topics that the app has written to, the dead letter topic included; sorted. */
  async producedTopicNames(): Promise<readonly string[]> {
    await this.settled();
    return this.broker.topicNames
      .filter((topic) => this.broker.records(topic).length > (this.piped.get(topic) ?? 0))
      .toSorted();
  }

  /** All dead letters so far. */
  async deadLetters(): Promise<readonly DeadLetter[]> {
    return (await this.read(this.deadLetterTopic)).map(deadLetterOf);
  }

  /** A fault: what is out is handed out once more, beside the first time, as when a lease runs out. */
  redeliver(): Promise<void> {
    return this.strike(() => this.broker.faults.redeliver());
  }

  /** A fault: every partition is taken away and given back, in a new epoch. */
  rebalance(): Promise<void> {
    return this.strike(() => this.broker.faults.rebalance());
  }

  /**
   * A fault: the app dies in the middle of its work, and a new one starts on the same broker. Only runs of engines are waited for, since those can't be cut off.
   *
   * Also the way on for an app in `ERROR`.
   */
  async crash(): Promise<void> {
    await this.ready();
    await this.kill();
    this.current = new StreamsApp(this.topology, this.appOptions);
    this.starting = undefined;
    await this.settled();
  }

  /**
   * Closes the app and gives its report. The clock runs on meanwhile, as long as needed. What the app wrote can be read after it.
   *
   * @param options.drainMs longest wait for what is under way: milliseconds on the clock, and of real time where a promise is waited for @default 1_000
   */
  close(options: { readonly drainMs?: number } = {}): Promise<DrainReport> {
    this.closing ??= this.shutDown(options.drainMs ?? 1_000);
    return this.closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private async write(topic: string, outs: readonly OutgoingRecord[]): Promise<void> {
    if (this.closing !== undefined) throw new StoppedError(`${topic} was written after the driver was closed`);
    await this.ready();
    this.broker.publish(outs);
    this.piped.set(topic, (this.piped.get(topic) ?? 0) + outs.length);
    await this.settled();
  }

  private async read(topic: string): Promise<readonly RawRecord[]> {
    await this.settled();
    return this.broker.records(topic);
  }

  private async strike(fault: () => void): Promise<void> {
    await this.ready();
    fault();
    await this.settled();
  }

  /** Starts the app the first time. */
  private ready(): Promise<void> {
    // Why it did not start is the app's error, which `settled` looks at.
    this.starting ??= this.current.start().catch(() => {});
    return this.starting;
  }

  private async settled(): Promise<void> {
    if (this.closing === undefined) {
      await this.ready();
      await quiet(this.watched);
    } else await this.closing;
    const { state, error } = this.current;
    if (state === "ERROR" && error !== undefined && this.rejectOnError) throw error;
  }

  private readonly watched = (): { readonly app: StreamsApp; readonly timers: number } => ({
    app: this.current,
    timers: this.scheduler.pending,
  });

  /** The session breaks and the app must not mend it. */
  private async kill(): Promise<void> {
    this.dying = true;
    this.broker.faults.crash("crash() of the test driver");
    // An app that waits for its restart has no session that could break.
    if (this.current.state === "REBALANCING") await this.current.close({ drainMs: 0 });
    await quiet(this.watched);
    this.dying = false;
  }

  private async shutDown(drainMs: number): Promise<DrainReport> {
    const until = performance.now() + drainMs;
    let report: DrainReport | undefined;
    void this.current.close({ drainMs }).then((result) => (report = result));
    for (;;) {
      await quiet(this.watched, () => report !== undefined || performance.now() >= until);
      if (report !== undefined) return report;
      const { nextDue } = this.scheduler;
      if (nextDue !== undefined) this.scheduler.advance(nextDue - this.scheduler.now());
    }
  }
}
