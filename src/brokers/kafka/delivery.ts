import type { KafkaMessage } from "kafkajs";
import type { Subscription } from "rxjs";
import type { Delivery, Lane } from "../../core/broker.ts";
import { LogPosition } from "../../core/log-position.ts";
import type { Origin, OutgoingRecord, Position, RawRecord } from "../../core/record.ts";
import { headersOf } from "./headers.ts";
import type { Output } from "./transactional-writer.ts";
import type { Partition, Slot } from "./partition.ts";

/** What a delivery asks of the source that handed it out. */
export interface DeliveryOwner {
  publish(delivery: KafkaDelivery, outs: readonly OutgoingRecord[]): Promise<void> | undefined;
  acked(delivery: KafkaDelivery): void;
  nacked(delivery: KafkaDelivery): void;
}

/** One handing out of one record. */
export class KafkaDelivery implements Delivery {
  readonly record: RawRecord;
  readonly origin: Origin;
  readonly attempt: number;
  readonly partition: Partition;
  readonly slot: Slot;
  /** The wait before the next handing out. */
  backoff: Subscription | undefined = undefined;
  /** Results that become visible with the commit; used under exactly once. */
  outbox: Output[] | undefined = undefined;
  private readonly owner: DeliveryOwner;
  private settled = false;

  constructor(owner: DeliveryOwner, partition: Partition, slot: Slot, record: RawRecord, attempt: number) {
    this.owner = owner;
    this.partition = partition;
    this.slot = slot;
    this.record = record;
    this.attempt = attempt;
    this.origin = new LogPosition(partition.topic, partition.place, slot.offset);
  }

  get position(): Position {
    return this.origin.position;
  }

  get lane(): Lane {
    return this.partition.lane;
  }

  publish(outs: readonly OutgoingRecord[]): Promise<void> | undefined {
    return this.owner.publish(this, outs);
  }

  ack(): void {
    if (this.settled) return;
    this.settled = true;
    this.owner.acked(this);
  }

  nack(): void {
    if (this.settled) return;
    this.settled = true;
    this.owner.nacked(this);
  }
}

export function rawRecord({ topic, partition }: Partition, message: KafkaMessage): RawRecord {
  return {
    topic,
    partition,
    key: message.key,
    value: message.value,
    headers: headersOf(message),
    timestamp: Number(message.timestamp),
  };
}
