import type { Subscription } from "rxjs";
import type { Lane } from "../../core/broker.ts";
import type { Origin, OutgoingRecord, Position } from "../../core/record.ts";
import { MemoryDelivery, type Retry } from "./delivery.ts";
import type { PartitionLog } from "./partition-log.ts";

/** What an assignment asks of the session that holds it. */
export interface AssignmentOwner {
  readonly exactlyOnce: boolean;
  /** Writes, or throws a `PublishError`. */
  write(outs: readonly OutgoingRecord[], origin: Origin): void;
  /** Writes what was checked before. */
  append(outs: readonly OutgoingRecord[]): void;
  /** Checks that the records can be written, or throws a `PublishError`. */
  check(outs: readonly OutgoingRecord[], origin: Origin): void;
  /** The committed offset has moved; called once until `announced()`. */
  announce(assignment: Assignment): void;
  /** A delivery was acked: its credit is free. */
  acked(): void;
  /** A delivery that was out when a drain began is committed. */
  settled(): void;
  /** A delivery was given back: `again` is called after a backoff; undefined when the session drains, and the record stays with the broker. */
  nacked(attempt: number, again: () => void): Subscription | undefined;
  /** Hands out a delivery. */
  emit(delivery: MemoryDelivery): void;
}

/** The committed offset of a group in a partition: everything below it is done. */
export interface CommittedOffset {
  value: number;
}

/** One partition held by one session, in one epoch: the reading position, and what is out. */
export class Assignment {
  readonly log: PartitionLog;
  readonly lane: Lane;
  /** Offset of the next record to hand out. */
  position: number;
  lost = false;
  private readonly offset: CommittedOffset;
  private announcing = false;
  private readonly owner: AssignmentOwner;
  private readonly abort = new AbortController();
  /** What was handed out and is not committed, by offset: the delivery that was first, or was acked. */
  private slots: MemoryDelivery[] = [];
  private head = 0;
  /** What was acked before a drain began, and not committed: no part of its account. */
  private ackedBefore: ReadonlySet<MemoryDelivery> | undefined = undefined;

  constructor(log: PartitionLog, offset: CommittedOffset, epoch: number, owner: AssignmentOwner) {
    this.log = log;
    this.position = offset.value;
    this.offset = offset;
    this.owner = owner;
    this.lane = { id: `${log.id}#${epoch}`, signal: this.abort.signal };
  }

  /** Records that are out, those in backoff included. */
  get unsettled(): number {
    return this.open.length;
  }

  /** Records that are not committed. */
  get lag(): number {
    return this.log.end - this.offset.value;
  }

  private get open(): MemoryDelivery[] {
    return this.slots.slice(this.head).filter(isOpen);
  }

  /** The last position that is durably done; the next move is announced again. */
  announced(): Position {
    this.announcing = false;
    return `${this.log.place}@${this.offset.value - 1}`;
  }

  /** The next record, as a delivery; undefined at the end of the log. */
  take(): MemoryDelivery | undefined {
    const record = this.log.at(this.position);
    if (record === undefined) return undefined;
    const delivery = new MemoryDelivery(this, record, this.position, 1);
    this.position += 1;
    this.slots.push(delivery);
    return delivery;
  }

  /** Gives the partition up: late acks count for nothing. Returns how many records were out. */
  lose(): number {
    const { open } = this;
    this.lost = true;
    for (const slot of open) endBackoff(slot);
    this.slots = [];
    this.abort.abort();
    return open.length;
  }

  /** A drain has begun: what waits to be handed out again stays with the broker. Returns how many records that are. */
  releaseWaiting(): number {
    this.ackedBefore = new Set(this.slots.slice(this.head).filter(({ done }) => done));
    const waiting = this.open.filter(({ retry }) => retry?.backoff !== undefined);
    for (const slot of waiting) {
      endBackoff(slot);
      retryOf(slot).returned = true;
    }
    return waiting.length;
  }

  publish(delivery: MemoryDelivery, outs: readonly OutgoingRecord[]): Promise<void> | undefined {
    if (this.lost) return undefined; // nobody waits for it: the record is another's now
    if (this.owner.exactlyOnce) {
      this.owner.check(outs, delivery.origin);
      if (this.openSlot(delivery) === undefined) return undefined; // acked through another handing out
      delivery.outbox ??= [];
      delivery.outbox.push(...outs);
    } else this.owner.write(outs, delivery.origin);
    return undefined;
  }

  ack(delivery: MemoryDelivery): void {
    const slot = this.openSlot(delivery);
    if (slot === undefined) return;
    endBackoff(slot);
    slot.done = true;
    slot.outbox = delivery.outbox;
    this.advance();
    this.owner.acked();
  }

  nack(delivery: MemoryDelivery): void {
    const slot = this.openSlot(delivery);
    if (slot === undefined) return;
    const retry = retryOf(slot);
    if (retry.backoff !== undefined) return;
    retry.backoff = this.owner.nacked(retry.handedOut, () => {
      retry.backoff = undefined;
      this.again(slot);
    });
    retry.returned = retry.backoff === undefined;
  }

  /** Hands out everything that is out once more, as a broker does whose lease ran out. */
  redeliver(): void {
    for (const slot of this.open) {
      endBackoff(slot);
      this.again(slot);
    }
  }

  private again(slot: MemoryDelivery): void {
    if (this.lost || !isOpen(slot)) return;
    const retry = retryOf(slot);
    retry.handedOut += 1;
    this.owner.emit(new MemoryDelivery(this, slot.record, slot.offset, retry.handedOut));
  }

  /** The slot of a delivery whose answer counts: not after the lane was lost, nor when the record was acked or given back before. */
  private openSlot({ offset }: MemoryDelivery): MemoryDelivery | undefined {
    const slot = this.lost ? undefined : this.slotOf(offset);
    return slot !== undefined && isOpen(slot) ? slot : undefined;
  }

  /** Slots are in the order of offsets without gaps, so a slot's place follows from the head's. */
  private slotOf(offset: number): MemoryDelivery | undefined {
    const first = this.slots[this.head];
    return first === undefined ? undefined : this.slots[this.head + offset - first.offset];
  }

  /** Commits the highest contiguous settled offset + 1; under exactly once the results go out in the same step. */
  private advance(): void {
    const before = this.head;
    for (let slot = this.slots[this.head]; slot?.done === true; slot = this.slots[this.head]) {
      if (slot.outbox !== undefined) this.owner.append(slot.outbox);
      if (this.ackedBefore?.has(slot) === false) this.owner.settled();
      this.head += 1;
    }
    if (this.head === before) return;
    const committed = this.slots[this.head]?.offset ?? this.position;
    if (this.head > 1024 && this.head * 2 > this.slots.length) {
      this.slots = this.slots.slice(this.head);
      this.head = 0;
    }
    this.offset.value = committed;
    if (this.announcing) return;
    this.announcing = true;
    this.owner.announce(this);
  }
}

/** Neither acked nor given back. */
function isOpen({ done, retry }: MemoryDelivery): boolean {
  return !done && retry?.returned !== true;
}

function retryOf(slot: MemoryDelivery): Retry {
  slot.retry ??= { handedOut: 1, backoff: undefined, returned: false };
  return slot.retry;
}

function endBackoff({ retry }: MemoryDelivery): void {
  retry?.backoff?.unsubscribe();
  if (retry !== undefined) retry.backoff = undefined;
}
