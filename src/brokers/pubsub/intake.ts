import type { Message } from "@google-cloud/pubsub";
import type { Subscription } from "rxjs";
import type { Logger } from "../../core/logger.ts";
import type { OutgoingRecord, Position } from "../../core/record.ts";
import { decodeMessage } from "./attributes.ts";
import { PubSubDelivery, type Held, type Settler } from "./delivery.ts";
import type { AttributeFilter } from "./filter.ts";
import { KeyOrder } from "./key-order.ts";
import { KeyLanes } from "./lanes.ts";
import { RecentIds } from "./recent-ids.ts";
import { reasonOf } from "./status.ts";

/** What an intake asks of its session. */
export interface IntakeOwner {
  /** Something may be taken. */
  wake(): void;
  /** A delivery is done: its credit is free. */
  settled(): void;
  /** A delivery was given back to the broker: its credit is free. */
  released(): void;
  /** Calls `again` after the backoff of this attempt; undefined when the session drains. */
  later(attempt: number, again: () => void): Subscription | undefined;
  /** Hands out a delivery that has its credit already. */
  emit(delivery: PubSubDelivery): void;
  announce(position: Position): void;
  write(outs: readonly OutgoingRecord[], position: Position): Promise<void> | undefined;
}

export interface IntakeOptions {
  /** The topic's name in the topology. */
  readonly topic: string;
  /** The subscription's name. */
  readonly subscription: string;
  readonly filter: AttributeFilter | undefined;
  readonly maxInFlightPerKey: number;
  readonly owner: IntakeOwner;
  readonly logger: Logger;
}

/** Acked messages that are known again when Pub/Sub delivers them once more: their acks are repeated. */
const remembered = 10_000;
/** Lanes of ordering keys that are kept while nothing of them is in flight. */
const idleLanes = 10_000;

/** The messages of one subscription that this session holds: de-duplicated, filtered, in the order of their keys. */
export class Intake implements Settler {
  readonly topic: string;
  private readonly options: IntakeOptions;
  private readonly held = new Map<string, Held>();
  private readonly order: KeyOrder<Held>;
  private recent = new RecentIds(remembered);
  private readonly lanes: KeyLanes;
  private dropped = false;

  constructor(options: IntakeOptions) {
    this.options = options;
    this.topic = options.topic;
    this.order = new KeyOrder(options.maxInFlightPerKey);
    this.lanes = new KeyLanes(options.subscription, idleLanes, (key) => this.order.isBusy(key));
  }

  positionOf(id: string): Position {
    return `pubsub:${this.options.subscription}@${id}`;
  }

  /** A message has come. */
  receive(message: Message): void {
    if (this.dropped) {
      message.nack();
      return;
    }
    const known = this.held.get(message.id);
    // An ack may still wait for its confirmation.
    if (this.recent.has(message.id)) this.confirm(message.id, [message]);
    else if (known !== undefined) known.leases.push(message);
    else if (this.options.filter?.matches(message.attributes) === false) void acknowledge([message]).catch(() => {});
    else this.hold(message);
  }

  /** The next delivery; undefined when none is ready. */
  take(): PubSubDelivery | undefined {
    const held = this.order.shift();
    if (held === undefined) return undefined;
    held.state = "out";
    return new PubSubDelivery(held, this);
  }

  publish(outs: readonly OutgoingRecord[], held: Held): Promise<void> | undefined {
    if (this.dropped || held.state === "gone") return undefined; // nobody waits for it: the message is another's now
    return this.options.owner.write(outs, this.positionOf(held.id));
  }

  ack(held: Held): void {
    if (held.state !== "out") return;
    held.state = "acked";
    if (this.held.get(held.id) === held) this.recent.add(held.id);
    this.confirm(held.id, held.leases, () => {
      if (this.dropped) return;
      if (this.held.get(held.id) === held) this.held.delete(held.id);
      this.order.done(held);
      this.options.owner.settled();
    });
  }

  /**
   * Waits out the backoff with the lease extended, then hands out again: nothing of its key overtakes it, and no nack storms. Where the
   * subscription has a dead letter policy Pub/Sub has to count, so the message goes back to it, with all of its key that wait here.
   */
  nack(held: Held, cause: unknown): void {
    if (held.state !== "out") return;
    const { owner, logger } = this.options;
    logger.debug({ error: reasonOf(cause), attempt: held.attempt }, `${this.positionOf(held.id)} was given back`);
    const counted = held.leases.some(({ deliveryAttempt }) => deliveryAttempt > 0);
    held.state = "backoff";
    this.order.block(held);
    held.backoff = owner.later(held.attempt, () => {
      held.backoff = undefined;
      if (held.state !== "backoff") return;
      if (counted) this.release(held);
      else this.again(held);
    });
    if (held.backoff === undefined) this.release(held);
  }

  /** A drain has begun: what waits to be handed out again goes back. Returns how many messages that are. */
  releaseWaiting(): number {
    const waiting = [...this.held.values()].filter(({ state }) => state === "backoff");
    for (const held of waiting) this.giveBack([held, ...this.order.giveUp(held)]);
    return waiting.length;
  }

  /** The stream is lost: leases are void. What is out stays out, and is acked when it comes again; the rest comes again. */
  lost(deleted: boolean): void {
    for (const held of this.order.clear()) {
      held.state = "gone";
      this.held.delete(held.id);
    }
    for (const held of this.held.values()) held.leases = [];
    if (!deleted) return;
    // A new subscription knows nothing of the old one's messages; an emulator that was started again even uses their ids again.
    this.held.clear();
    this.recent = new RecentIds(remembered);
  }

  /** Gives back everything, in order; late acks count for nothing. */
  drop(): void {
    if (this.dropped) return;
    this.dropped = true;
    this.giveBack([...this.held.values()].filter(({ state }) => state !== "acked"));
    this.order.clear();
    this.lanes.abortAll();
  }

  private hold(message: Message): void {
    const key = message.orderingKey || undefined;
    const held: Held = {
      id: message.id,
      key,
      record: decodeMessage(message, this.topic),
      lane: key === undefined ? undefined : this.lanes.of(key),
      leases: [message],
      attempt: Math.max(1, message.deliveryAttempt),
      state: "queued",
      backoff: undefined,
    };
    this.held.set(held.id, held);
    this.order.push(held);
    this.options.owner.wake();
  }

  private again(held: Held): void {
    if (this.dropped) return;
    held.state = "out";
    held.attempt += 1;
    this.options.owner.emit(new PubSubDelivery(held, this));
    this.order.unblock(held);
    this.options.owner.wake();
  }

  private release(held: Held): void {
    this.giveBack([held, ...this.order.giveUp(held)]);
    this.options.owner.released();
  }

  private giveBack(all: readonly Held[]): void {
    for (const held of all) {
      held.backoff?.unsubscribe();
      held.backoff = undefined;
      held.state = "gone";
      this.held.delete(held.id);
      for (const message of held.leases) message.nack();
    }
  }

  /** Acks; the position is committed when Pub/Sub has confirmed, which it does for exactly-once delivery only. */
  private confirm(id: string, leases: readonly Message[], done: () => void = () => {}): void {
    acknowledge(leases).then(
      () => {
        if (leases.length > 0) this.options.owner.announce(this.positionOf(id));
        done();
      },
      (error: unknown) => {
        const position = this.positionOf(id);
        this.options.logger.warn(
          { error: reasonOf(error) },
          `the ack of ${position} failed; it is acked when it comes again`,
        );
        done();
      },
    );
  }
}

/** Of several leases of one message the last counts; exactly-once delivery refuses the others. */
async function acknowledge(leases: readonly Message[]): Promise<void> {
  const answers = await Promise.allSettled(leases.map((message) => message.ackWithResponse()));
  const last = answers.at(-1);
  if (last?.status === "rejected") throw last.reason;
}
