import type { Subject, Subscription } from "rxjs";
import { Arrivals } from "../core/arrivals.ts";
import type { BrokerSession, Delivery, DrainReport, SessionOptions } from "../core/broker.ts";
import { BrokerError, ConfigError, messageOf, StoppedError } from "../core/errors.ts";
import type { DeliveryLineage, LineageEnd } from "../core/lineage.ts";
import type { Model } from "../core/model.ts";
import type { OutgoingRecord, Position, StreamRecord } from "../core/record.ts";
import { Pressure } from "../operators/pressure.ts";
import type { SourceNode } from "../topology/nodes.ts";
import { isOperator, type Topology } from "../topology/topology.ts";
import { deadLettersOf } from "./dead-letters.ts";
import { ErrorPolicy } from "./error-policy.ts";
import { InputFeed } from "./inputs.ts";
import { Intake, type Route } from "./intake.ts";
import type { AppMetrics } from "./metrics.ts";
import type { Settings } from "./options.ts";
import { compile, type Pipeline } from "./pipeline.ts";
import { TracedDeliveries } from "./traced-deliveries.ts";

/** What a run gets from its app. */
export interface RunParts {
  readonly topology: Topology;
  readonly settings: Settings;
  readonly metrics: AppMetrics;
  readonly results: ReadonlyMap<string, Subject<StreamRecord<unknown, unknown>>>;
  /** Opened models, by node. */
  readonly models: ReadonlyMap<string, Model<unknown, unknown>>;
  readonly committed: Subject<Position>;
  /** Called after each delivery that was settled. */
  readonly settled: () => void;
  /** Something broke that the run can't mend. Called at most once. */
  readonly failed: (error: unknown) => void;
}

/** One session with the broker and the pipeline on it: from opening to drain or halt. An app replaces it when it breaks. */
export class Run implements LineageEnd {
  halted = false;
  leaving = 0;
  private readonly parts: RunParts;
  private readonly pressure = new Pressure();
  private readonly errors: ErrorPolicy;
  private readonly arrivals: Arrivals;
  private readonly intake: Intake;
  private readonly traced: TracedDeliveries | undefined;
  private readonly sessions: BrokerSession[] = [];
  private feeds: readonly InputFeed[] = [];
  private pipeline: Pipeline | undefined = undefined;
  private subscription: Subscription | undefined = undefined;
  private opened = false;
  private failure: unknown = undefined;

  constructor(parts: RunParts) {
    this.parts = parts;
    const { scheduler, tracing, broker, groupId } = parts.settings;
    this.errors = new ErrorPolicy(parts.settings, (error) => this.fail(error));
    this.arrivals = new Arrivals(() => scheduler.now());
    this.intake = new Intake(this.pressure, this, this.arrivals);
    this.traced = tracing === undefined ? undefined : new TracedDeliveries(tracing, broker.name, groupId);
  }

  /** Opens the sessions and the pipeline; deliveries flow when it resolves. Errors: the broker's. */
  async open(): Promise<void> {
    const { topology, settings } = this.parts;
    const session = await this.openSession();
    const publish = settings.sinkBroker === undefined ? undefined : await this.openSinks();
    const pipeline = compile(topology, {
      ...this.parts,
      errors: this.errors,
      pressure: this.pressure,
      scheduler: settings.scheduler,
      tracing: settings.tracing,
      broken: (cause) => this.fail(cause),
      resources: ({ name }) => ({
        model: this.parts.models.get(name),
        publish,
        maxQueuedWeight: settings.maxQueuedWeight,
      }),
    });
    this.pipeline = pipeline;
    this.subscribe(session, pipeline);
    this.feeds = topology.nodes.flatMap((node) => (node.role === "input" ? [this.feed(node, session, pipeline)] : []));
    this.opened = true;
    if (this.halted) throw this.failure;
  }

  /** True while something is under way that will end by itself: a call, a batch, a write. */
  get busy(): boolean {
    if (this.leaving > 0) return true;
    for (const { running } of this.parts.metrics.nodes.values()) if (running > 0) return true;
    return false;
  }

  get lag(): ReadonlyMap<string, number> {
    return this.sessions[0]?.lag?.() ?? new Map();
  }

  /** Arrival of the oldest delivery in flight, milliseconds since the epoch. */
  get oldestArrival(): number | undefined {
    return this.halted ? undefined : this.arrivals.oldest;
  }

  /** Records in backoff. */
  get backingOff(): number {
    return this.errors.backingOff;
  }

  /** Stops intake, gives back what waits, waits for the rest, and frees the pipeline and the sessions. */
  async drain(ms: number): Promise<DrainReport> {
    const [session] = this.sessions;
    const drained = Promise.all([session?.drain(ms) ?? nothing, ...this.feeds.map((feed) => feed.drain(ms))]);
    this.pipeline?.drain();
    this.intake.stop();
    this.errors.drain();
    const report = (await drained).reduce(sum);
    await this.halt();
    return report;
  }

  /** Drops everything at once: nothing more is acked, and the broker delivers again what was not. */
  async halt(): Promise<void> {
    this.halted = true;
    for (const feed of this.feeds) feed.stop();
    this.errors.stop();
    this.subscription?.unsubscribe();
    this.pipeline?.subscription.unsubscribe();
    this.traced?.stop();
    await Promise.all(this.sessions.map((session) => session.close()));
  }

  settled(lineage: DeliveryLineage): void {
    if (lineage.failures !== undefined) return this.writeDeadLetters(lineage);
    this.ack(lineage);
  }

  released(lineage: DeliveryLineage, cause: unknown): void {
    this.ended(lineage, "released");
    lineage.delivery.nack(cause);
  }

  lost(lineage: DeliveryLineage): void {
    this.ended(lineage, "lost");
    this.traced?.end(lineage.delivery, new StoppedError("its lane was lost: another session gets it"));
  }

  private ack(lineage: DeliveryLineage): void {
    this.ended(lineage, "settled");
    lineage.delivery.ack();
    this.parts.settled();
  }

  private ended({ arrival }: DeliveryLineage, how: "settled" | "released" | "lost"): void {
    if (arrival !== undefined) this.arrivals.leave(arrival);
    this.parts.metrics[how] += 1;
    this.parts.metrics.inFlight -= 1;
  }

  private fail(error: unknown): void {
    if (this.halted) return;
    this.halted = true;
    this.failure = error;
    // What breaks while it opens is what `open` rejects with.
    if (this.opened) this.parts.failed(error);
  }

  private async openSession(): Promise<BrokerSession> {
    const { topology, settings } = this.parts;
    const { broker, sinkBroker, deadLetterTopic } = settings;
    const sources = sourcesOf(topology);
    const reads = sources.flatMap(({ topics }) => topics);
    const sinks = sinkBroker === undefined ? sinkTopicsOf(topology) : [];
    const session = await broker.open({
      ...this.sessionOptions(),
      autoOffsetReset: Object.fromEntries(
        sources.flatMap((node) => node.topics.map((topic) => [topic, node.autoOffsetReset])),
      ),
      topics: [...new Set([...reads, ...sinks, deadLetterTopic])],
      reads,
    });
    this.sessions.push(session);
    return session;
  }

  private async openSinks(): Promise<(outs: readonly OutgoingRecord[]) => Promise<void>> {
    const { sinkBroker } = this.parts.settings;
    if (sinkBroker === undefined) throw new ConfigError("no sinkBroker is set");
    const session = await sinkBroker.open({
      ...this.sessionOptions(),
      autoOffsetReset: {},
      topics: sinkTopicsOf(this.parts.topology),
    });
    this.sessions.push(session);
    const { tracing } = this.parts.settings;
    if (tracing === undefined) return (outs) => session.publish(outs);
    const send = async (out: OutgoingRecord): Promise<void> =>
      tracing.send(out, sinkBroker.name, (traced) => session.publish([traced]));
    return async (outs) => void (await Promise.all(outs.map(send)));
  }

  private sessionOptions(): Omit<SessionOptions, "topics" | "autoOffsetReset"> {
    const { groupId, maxInFlight, processingGuarantee, commitIntervalMs, scheduler, logger } = this.parts.settings;
    return { groupId, maxInFlight, processingGuarantee, commitIntervalMs, scheduler, logger };
  }

  private subscribe(session: BrokerSession, pipeline: Pipeline): void {
    const routes = new Map<string, Route>();
    for (const { name, topics } of sourcesOf(this.parts.topology)) {
      const route = pipeline.routes.get(name);
      if (route !== undefined) for (const topic of topics) routes.set(topic, route);
    }
    if (routes.size === 0) return;
    const { committed, metrics } = this.parts;
    const { traced } = this;
    session.committed.subscribe((position) => {
      metrics.commits += 1;
      committed.next(position);
    });
    const [only] = routes.size === 1 ? routes.values() : [];
    this.subscription = session.deliveries([...routes.keys()]).subscribe({
      next: (delivery) => {
        const route = only ?? routes.get(delivery.record.topic);
        if (route === undefined)
          this.fail(new BrokerError(`got a record of ${delivery.record.topic}, which was not asked for`, "?"));
        else this.take(traced === undefined ? delivery : traced.begin(delivery), route);
      },
      error: (cause: unknown) => this.fail(cause),
    });
  }

  private feed(
    { name, input }: { readonly name: string; readonly input: Parameters<InputFeed["start"]>[0] },
    session: BrokerSession,
    pipeline: Pipeline,
  ): InputFeed {
    const { maxInFlight, scheduler } = this.parts.settings;
    const route = pipeline.routes.get(name);
    const feed = new InputFeed(name, session, { maxInFlight, scheduler }, (delivery) => {
      if (route !== undefined) this.take(delivery, route);
    });
    feed.start(input, (cause) => this.fail(cause));
    return feed;
  }

  private take(delivery: Delivery, route: Route): void {
    const { metrics } = this.parts;
    metrics.delivered += 1;
    if (delivery.attempt > 1) metrics.redelivered += 1;
    metrics.inFlight += 1;
    this.intake.take(delivery, route);
  }

  /** The delivery is acked when its dead letters are written; when they can't be, the app fails and nothing is lost. */
  private writeDeadLetters(lineage: DeliveryLineage): void {
    const { settings, metrics } = this.parts;
    const { delivery } = lineage;
    const letters = deadLettersOf(lineage, settings.deadLetterTopic);
    const written = (): void => {
      metrics.deadLetters += letters.length;
      for (const { node, error } of lineage.failures?.values() ?? []) {
        settings.logger.warn(
          { node, position: delivery.position, err: error },
          `record dead-lettered: ${messageOf(error)}`,
        );
        this.traced?.end(delivery, error);
      }
      this.ack(lineage);
    };
    try {
      const accepted = delivery.publish(letters);
      if (accepted === undefined) return written();
      this.leaving += 1;
      accepted.then(written, (cause: unknown) => this.deadLetterFailed(cause)).finally(() => (this.leaving -= 1));
    } catch (cause) {
      this.deadLetterFailed(cause);
    }
  }

  private deadLetterFailed(cause: unknown): void {
    const { deadLetterTopic, broker } = this.parts.settings;
    this.fail(
      new BrokerError(`a dead letter could not be written to ${deadLetterTopic}: ${messageOf(cause)}`, broker.name, {
        cause,
      }),
    );
  }
}

const nothing: DrainReport = { settled: 0, released: 0, abandoned: 0 };

function sum(a: DrainReport, b: DrainReport): DrainReport {
  return {
    settled: a.settled + b.settled,
    released: a.released + b.released,
    abandoned: a.abandoned + b.abandoned,
  };
}

function sourcesOf(topology: Topology): SourceNode[] {
  return topology.nodes.filter((node) => node.role === "source");
}

function sinkTopicsOf(topology: Topology): string[] {
  return topology.nodes.flatMap((node) => (isOperator(node) && node.topic !== undefined ? [node.topic] : []));
}
