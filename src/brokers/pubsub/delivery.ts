import type { Message } from "@google-cloud/pubsub";
import type { Subscription } from "rxjs";
import type { Delivery, Lane } from "../../core/broker.ts";
import type { Origin, OutgoingRecord, Position, RawRecord } from "../../core/record.ts";

/** A message that this session holds: from its arrival until it is acked or given back. */
export interface Held {
  readonly id: string;
  /** The ordering key. */
  readonly key: string | undefined;
  readonly record: RawRecord;
  readonly lane: Lane | undefined;
  /** Its leases: more than one when Pub/Sub delivered it again meanwhile; none after the stream was lost. */
  leases: Message[];
  /** Times that it was handed out, by Pub/Sub or from here. */
  attempt: number;
  state: "queued" | "out" | "backoff" | "acked" | "gone";
  /** The wait before the next handing out. */
  backoff: Subscription | undefined;
}

/** Who settles deliveries. */
export interface Settler {
  readonly topic: string;
  positionOf(id: string): Position;
  publish(outs: readonly OutgoingRecord[], held: Held): Promise<void> | undefined;
  ack(held: Held): void;
  nack(held: Held, cause: unknown): void;
}

/** One handing out of one message. */
export class PubSubDelivery implements Delivery {
  readonly record: RawRecord;
  readonly origin: Origin;
  readonly attempt: number;
  readonly lane?: Lane;
  private readonly held: Held;
  private readonly settler: Settler;
  private settled = false;

  constructor(held: Held, settler: Settler) {
    this.held = held;
    this.settler = settler;
    this.record = held.record;
    this.attempt = held.attempt;
    this.origin = { topic: settler.topic, position: settler.positionOf(held.id) };
    if (held.lane !== undefined) this.lane = held.lane;
  }

  get position(): Position {
    return this.origin.position;
  }

  publish(outs: readonly OutgoingRecord[]): Promise<void> | undefined {
    return this.settler.publish(outs, this.held);
  }

  ack(): void {
    if (this.settled) return;
    this.settled = true;
    this.settler.ack(this.held);
  }

  nack(cause: unknown): void {
    if (this.settled) return;
    this.settled = true;
    this.settler.nack(this.held, cause);
  }
}
