import type { Subscription } from "rxjs";
import type { Delivery, Lane } from "../../core/broker.ts";
import { LogPosition } from "../../core/log-position.ts";
import type { Origin, OutgoingRecord, Position, RawRecord } from "../../core/record.ts";
import type { Assignment } from "./assignment.ts";

/** A record that was given back, or handed out more than once. */
export interface Retry {
  handedOut: number;
  /** The wait before the next handing out. */
  backoff: Subscription | undefined;
  /** It was given back in a drain, and its credit with it. */
  returned: boolean;
}

/** One handing out of one record. The first is also the record's slot in the assignment, which outlives it. */
export class MemoryDelivery implements Delivery {
  readonly record: RawRecord;
  readonly attempt: number;
  readonly origin: Origin;
  readonly offset: number;
  /** Results that become visible with the commit; used under exactly once. */
  outbox: OutgoingRecord[] | undefined = undefined;
  /** Of a slot: the record is acked, through this or another handing out of it. */
  done = false;
  /** Of a slot: set when once was not enough. */
  retry: Retry | undefined = undefined;
  private readonly assignment: Assignment;
  private settled = false;

  constructor(assignment: Assignment, record: RawRecord, offset: number, attempt: number) {
    this.assignment = assignment;
    this.record = record;
    this.offset = offset;
    this.attempt = attempt;
    this.origin = new LogPosition(assignment.log.topic, assignment.log.place, offset);
  }

  get position(): Position {
    return this.origin.position;
  }

  get lane(): Lane {
    return this.assignment.lane;
  }

  publish(outs: readonly OutgoingRecord[]): Promise<void> | undefined {
    return this.assignment.publish(this, outs);
  }

  ack(): void {
    if (this.settled) return;
    this.settled = true;
    this.assignment.ack(this);
  }

  nack(): void {
    if (this.settled) return;
    this.settled = true;
    this.assignment.nack(this);
  }
}
