import type { PubSub } from "@google-cloud/pubsub";
import { Observable, Subject, type Subscriber, type Subscription } from "rxjs";
import type { BrokerSession, Delivery, DrainReport, SessionOptions } from "../../core/broker.ts";
import { Drain } from "../../core/drain.ts";
import { StoppedError } from "../../core/errors.ts";
import type { OutgoingRecord, Position } from "../../core/record.ts";
import type { PubSubDelivery } from "./delivery.ts";
import { Intake, type IntakeOwner } from "./intake.ts";
import { subscriptionName, type PubSubSettings } from "./options.ts";
import type { Provision } from "./provision.ts";
import { Pull } from "./pull.ts";
import { Sink } from "./sink.ts";
import { reasonOf } from "./status.ts";

export interface SessionParts {
  readonly client: PubSub;
  readonly settings: PubSubSettings;
  readonly provision: Provision;
}

/** One reader and writer: hands out messages within its credit, gives back what is not done. */
export class PubSubSession implements BrokerSession, IntakeOwner {
  readonly committed: Observable<Position>;
  private readonly parts: SessionParts;
  private readonly options: SessionOptions;
  private readonly sink: Sink;
  private readonly commits = new Subject<Position>();
  private intakes: readonly Intake[] = [];
  private pulls: readonly Pull[] = [];
  private out: Subscriber<Delivery> | undefined = undefined;
  private inFlight = 0;
  private turn = 0;
  private pumping = false;
  private scheduled = false;
  private left: Promise<unknown> | undefined = undefined;
  private closed: Promise<void> | undefined = undefined;
  private draining: Drain | undefined = undefined;
  private drained: Promise<DrainReport> | undefined = undefined;

  constructor(parts: SessionParts, options: SessionOptions) {
    this.parts = parts;
    this.options = options;
    this.committed = this.commits.asObservable();
    const { client, settings } = parts;
    const { scheduler, logger } = options;
    const provide = (topic: string): Promise<void> => this.provide(topic);
    this.sink = new Sink({ client, settings, scheduler, logger, provide });
  }

  deliveries(topics: readonly string[]): Observable<Delivery> {
    return new Observable((subscriber) => {
      if (this.closed !== undefined || this.out !== undefined) {
        subscriber.error(new StoppedError("deliveries of a session are subscribed once, before close()"));
        return undefined;
      }
      this.out = subscriber;
      const read = topics.map((topic) => this.read(topic));
      this.intakes = read.map(({ intake }) => intake);
      this.pulls = read.map(({ pull }) => pull);
      for (const pull of this.pulls) pull.start();
      return () => this.leave();
    });
  }

  async publish(outs: readonly OutgoingRecord[]): Promise<void> {
    if (this.closed !== undefined) throw new StoppedError("publish after close()");
    await this.sink.write(outs, "pubsub");
  }

  connected(): boolean {
    return this.pulls.every((pull) => pull.connected);
  }

  drain(ms: number): Promise<DrainReport> {
    this.drained ??= this.begin(ms);
    return this.drained;
  }

  close(): Promise<void> {
    this.closed ??= this.end();
    return this.closed;
  }

  wake(): void {
    if (this.scheduled || this.pumping) return;
    this.scheduled = true;
    // All that came in one answer of the service is handed out in one go.
    queueMicrotask(() => {
      this.scheduled = false;
      this.pump();
    });
  }

  settled(): void {
    this.freed("settled");
  }

  released(): void {
    this.freed("released");
  }

  later(attempt: number, again: () => void): Subscription | undefined {
    if (this.draining !== undefined) return undefined;
    const { minBackoffMs, maxBackoffMs } = this.parts.settings;
    return this.options.scheduler.schedule(again, Math.min(minBackoffMs * 2 ** (attempt - 1), maxBackoffMs));
  }

  emit(delivery: PubSubDelivery): void {
    this.out?.next(delivery);
  }

  announce(position: Position): void {
    this.commits.next(position);
  }

  write(outs: readonly OutgoingRecord[], position: Position): Promise<void> {
    return this.sink.write(outs, position);
  }

  private read(topic: string): { readonly intake: Intake; readonly pull: Pull } {
    const { client, settings } = this.parts;
    const { groupId, maxInFlight, scheduler, logger } = this.options;
    const name = subscriptionName(settings, topic, groupId);
    const { filter, maxInFlightPerKey } = settings;
    const intake = new Intake({ topic, subscription: name, filter, maxInFlightPerKey, owner: this, logger });
    const pull = new Pull({
      client,
      name,
      settings,
      maxInFlight,
      scheduler,
      logger,
      provide: () => this.provide(topic),
      message: (message) => intake.receive(message),
      lost: (deleted) => intake.lost(deleted),
      failed: (error) => this.out?.error(error),
    });
    return { intake, pull };
  }

  /** A topic that is read has its subscription before anything is written to it. */
  private async provide(topic: string): Promise<void> {
    const { settings, provision } = this.parts;
    await provision.topics([topic]);
    if (this.intakes.some((intake) => intake.topic === topic))
      await provision.subscription(subscriptionName(settings, topic, this.options.groupId), topic);
  }

  private begin(ms: number): Promise<DrainReport> {
    const began = this.inFlight;
    let waiting = 0;
    for (const intake of this.intakes) waiting += intake.releaseWaiting();
    this.inFlight -= waiting;
    const { scheduler } = this.options;
    const over = (): void => this.out?.complete();
    this.draining = new Drain({ began, released: waiting, ms, scheduler, over });
    if (this.inFlight === 0) this.draining.finish();
    return this.draining.report;
  }

  private async end(): Promise<void> {
    this.leave();
    this.out?.complete();
    await this.left;
    await this.sink.close();
    this.commits.complete();
    try {
      await this.parts.client.close();
    } catch (error) {
      this.options.logger.debug({ error: reasonOf(error) }, "the client of Pub/Sub was closed badly");
    }
  }

  private pump(): void {
    if (this.pumping || this.left !== undefined || this.draining !== undefined || this.out === undefined) return;
    this.pumping = true;
    while (this.inFlight < this.options.maxInFlight && !this.stopping) {
      const delivery = this.takeNext();
      if (delivery === undefined) break;
      this.inFlight += 1;
      this.out.next(delivery);
    }
    this.pumping = false;
  }

  /** A consumer may drain or leave while it is handed a delivery. */
  private get stopping(): boolean {
    return this.draining !== undefined || this.left !== undefined;
  }

  /** Subscriptions take turns, message by message. */
  private takeNext(): PubSubDelivery | undefined {
    const { length } = this.intakes;
    for (let tries = 0; tries < length; tries += 1) {
      this.turn = this.turn + 1 < length ? this.turn + 1 : 0;
      const delivery = this.intakes[this.turn]?.take();
      if (delivery !== undefined) return delivery;
    }
    return undefined;
  }

  private freed(end: "settled" | "released"): void {
    this.inFlight -= 1;
    if (this.draining === undefined) this.pump();
    else {
      this.draining.count(end);
      if (this.inFlight === 0) this.draining.finish();
    }
  }

  private leave(): void {
    if (this.left !== undefined) return;
    // The streams end first: what is given back before would be sent into them again, and be lost until its ack deadline.
    this.left = Promise.all(this.pulls.map((pull) => pull.stop()));
    for (const intake of this.intakes) intake.drop();
    this.inFlight = 0;
  }
}
