import type { Lane } from "../../core/broker.ts";
import type { Output } from "./transactional-writer.ts";

/** One record that was read: its place in the order of commits. */
export interface Slot {
  readonly offset: number;
  done: boolean;
  /** Results that become visible with the commit; used under exactly once. */
  outbox: readonly Output[] | undefined;
}

/**
 * One partition in one assignment: what was read of it, what of that is done, and how far the group may be told.
 *
 * Offsets have gaps (transaction markers, compaction), so progress is a walk over the records that were read, never arithmetic.
 */
export class Partition {
  readonly topic: string;
  readonly partition: number;
  readonly lane: Lane;
  /** `topic/partition`. */
  readonly id: string;
  /** Its name in positions: `kafka:topic/partition`. */
  readonly place: string;
  /** Offset that the group has. */
  committed: number;
  /** Offset of the next record to read. */
  position: number;
  /** Offset after the last record of the log, as of the last fetch. */
  end: number;
  /** False between a rejoin and the answer to where the group stands: nothing is read or committed. */
  ready = true;
  /** Position at which a fetch was set back: what it skips the second time is not for us. */
  setBackAt = -1;
  /** Deliveries that are out. */
  unsettled = 0;
  lost = false;
  private readonly abort = new AbortController();
  private slots: Slot[] = [];
  private head = 0;
  private base: number;
  private lastDone = -1;

  /** @param start offset at which the group stands */
  constructor(topic: string, partition: number, start: number, epoch: number) {
    this.topic = topic;
    this.partition = partition;
    this.id = `${topic}/${partition}`;
    this.place = `kafka:${this.id}`;
    this.committed = start;
    this.position = start;
    this.end = start;
    this.base = start;
    this.lane = { id: `${this.id}#${epoch}`, signal: this.abort.signal };
  }

  /** Everything below is done: what a commit says. */
  get watermark(): number {
    return this.base;
  }

  /** Offset of the last record below the watermark; -1 when there is none yet. */
  get lastSettled(): number {
    return this.lastDone;
  }

  get dirty(): boolean {
    return this.base > this.committed;
  }

  read(offset: number): Slot {
    const slot: Slot = { offset, done: false, outbox: undefined };
    this.slots.push(slot);
    this.position = offset + 1;
    return slot;
  }

  /** The log was read up to here, with what is in it for brokers only (transaction markers). */
  readTo(position: number): void {
    this.position = Math.max(this.position, position);
    if (this.head === this.slots.length) this.base = this.position;
  }

  /** Marks a record as done; `passed` is called with each slot that is now below the watermark, in order. */
  settle(slot: Slot, passed?: (slot: Slot) => void): void {
    slot.done = true;
    for (let first = this.slots[this.head]; first?.done === true; first = this.slots[this.head]) {
      this.head += 1;
      this.lastDone = first.offset;
      this.base = first.offset + 1;
      passed?.(first);
    }
    if (this.head === this.slots.length) this.base = this.position;
    if (this.head < 1024 || this.head * 2 < this.slots.length) return;
    this.slots = this.slots.slice(this.head);
    this.head = 0;
  }

  /** After a rejoin: true when the group stands where we left it, so that what is in flight still counts. */
  standsAt(offset: number): boolean {
    if (offset < this.committed || offset > this.base) return false; // rewound by an operator, or someone else went on
    this.committed = offset;
    return true;
  }

  /** Given up: late acks count for nothing. */
  lose(): void {
    this.lost = true;
    this.slots = [];
    this.head = 0;
    this.abort.abort();
  }
}
