import type { KafkaMessage } from "kafkajs";
import type { Subscriber } from "rxjs";
import type { Delivery, SessionOptions } from "../../core/broker.ts";
import { FairQueue } from "../../core/fair-queue.ts";
import type { OutgoingRecord } from "../../core/record.ts";
import type { Commits } from "./commits.ts";
import { KafkaDelivery, rawRecord, type DeliveryOwner } from "./delivery.ts";
import type { Partition, Slot } from "./partition.ts";

/** A record that was read and not handed out. */
export interface Unread {
  readonly partition: Partition;
  readonly slot: Slot;
  readonly message: KafkaMessage;
}

export interface HandOutParts {
  readonly options: SessionOptions;
  readonly commits: Commits;
  readonly out: Subscriber<Delivery>;
  /** Credit was used up, or half of it is free again. */
  readonly changed: () => void;
}

/** What became of the deliveries that were out when a drain began. */
export interface DrainCount {
  readonly began: number;
  /** Those that were acked: committed only once nothing before them is open. */
  readonly acked: KafkaDelivery[];
  released: number;
}

/** Hands out what was read, never more than the credit, and knows what is out. */
export class HandOut implements DeliveryOwner {
  /** Nothing is handed out: a rejoin is under way, or there is no connection. */
  frozen = true;
  /** The credit is used up, and half of it is not free yet: hysteresis hides how long a fetch takes to resume. */
  full = false;
  private readonly parts: HandOutParts;
  /** Partitions take turns. Bounded by what the fetches under way may bring. */
  private readonly unread = new FairQueue<Unread>();
  /** Given back, waiting to be handed out again; they keep their slot and their credit. */
  private readonly backingOff = new Set<KafkaDelivery>();
  private readonly waiters = new Set<() => void>();
  private inFlight = 0;
  private pumping = false;
  private drain: DrainCount | undefined = undefined;

  constructor(parts: HandOutParts) {
    this.parts = parts;
  }

  push(unread: Unread): void {
    this.unread.add(unread, unread.partition);
  }

  /** Hands out as much as the credit allows. */
  pump(): void {
    if (this.pumping) return;
    this.pumping = true;
    while (this.mayHandOut()) {
      const next = this.unread.shift();
      if (next === undefined) break;
      this.inFlight += 1;
      next.partition.unsettled += 1;
      const record = rawRecord(next.partition, next.message);
      this.parts.out.next(new KafkaDelivery(this, next.partition, next.slot, record, 1));
    }
    this.pumping = false;
    this.measure();
  }

  publish(delivery: KafkaDelivery, outs: readonly OutgoingRecord[]): Promise<void> | undefined {
    if (delivery.partition.lost) return undefined; // nobody waits for it: the record is another's now
    return this.parts.commits.publish(delivery, outs);
  }

  acked(delivery: KafkaDelivery): void {
    if (delivery.partition.lost) return;
    this.parts.commits.settled(delivery);
    this.drain?.acked.push(delivery);
    this.free(delivery.partition);
  }

  nacked(delivery: KafkaDelivery): void {
    if (delivery.partition.lost) return;
    if (this.drain !== undefined) return this.release(this.drain, delivery.partition);
    this.backingOff.add(delivery);
    const delayMs = Math.min(100 * 2 ** (delivery.attempt - 1), 10_000);
    delivery.backoff = this.parts.options.scheduler.schedule(() => this.again(delivery), delayMs);
    this.tellIdle();
  }

  /** Forgets a partition: late answers of its deliveries count for nothing. */
  drop(partition: Partition): void {
    this.unread.drop(partition);
    for (const delivery of this.backingOff) if (delivery.partition === partition) this.endBackoff(delivery);
    this.inFlight -= partition.unsettled;
    partition.unsettled = 0;
    this.measure();
    this.tellIdle();
  }

  /** Waits until nothing is out but what waits for another attempt, at most `ms` milliseconds. */
  async idle(ms: number): Promise<void> {
    if (this.inFlight === this.backingOff.size || ms <= 0) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        timer.unsubscribe();
        this.waiters.delete(done);
        resolve();
      };
      const timer = this.parts.options.scheduler.schedule(done, ms);
      this.waiters.add(done);
    });
  }

  /** Hands out nothing more, gives back what waits, and waits for the rest, at most `ms` milliseconds. */
  async stop(ms: number): Promise<DrainCount> {
    const count: DrainCount = { began: this.inFlight, acked: [], released: 0 };
    this.drain = count;
    this.unread.clear();
    for (const delivery of this.backingOff) {
      this.endBackoff(delivery);
      this.release(count, delivery.partition);
    }
    await this.idle(ms);
    return count;
  }

  private mayHandOut(): boolean {
    const { commits, options } = this.parts;
    return !this.frozen && this.drain === undefined && this.inFlight < options.maxInFlight && !commits.full;
  }

  private again(delivery: KafkaDelivery): void {
    this.backingOff.delete(delivery);
    const { partition, slot, record, attempt } = delivery;
    this.parts.out.next(new KafkaDelivery(this, partition, slot, record, attempt + 1));
  }

  private endBackoff(delivery: KafkaDelivery): void {
    delivery.backoff?.unsubscribe();
    this.backingOff.delete(delivery);
  }

  private release(count: DrainCount, partition: Partition): void {
    count.released += 1;
    this.free(partition);
  }

  private free(partition: Partition): void {
    partition.unsettled -= 1;
    this.inFlight -= 1;
    this.tellIdle();
    this.pump();
  }

  private tellIdle(): void {
    if (this.inFlight === this.backingOff.size) for (const waiter of [...this.waiters]) waiter();
  }

  private measure(): void {
    const { maxInFlight } = this.parts.options;
    const held = this.inFlight + this.unread.size;
    const full = this.full ? held > maxInFlight / 2 : held >= maxInFlight;
    if (full === this.full) return;
    this.full = full;
    this.parts.changed();
  }
}
