import { Observable, Subject, type Subscriber, type Subscription } from "rxjs";
import type { AutoOffsetReset, BrokerSession, Delivery, DrainReport, SessionOptions } from "../../core/broker.ts";
import { Drain } from "../../core/drain.ts";
import { BrokerError, PublishError, StoppedError } from "../../core/errors.ts";
import type { Origin, OutgoingRecord, Position } from "../../core/record.ts";
import type { Assignment, AssignmentOwner } from "./assignment.ts";
import type { MemoryDelivery } from "./delivery.ts";
import type { Faults } from "./faults.ts";
import type { ConsumerGroup } from "./group.ts";
import type { PartitionLog } from "./partition-log.ts";
import type { Topics } from "./topics.ts";

/** Longest time that records are handed out without a break, milliseconds: the event loop gets its turn in between. */
const sliceMs = 8;

/** Where records come from that no delivery caused. */
const outside: Origin = { topic: "", position: "memory" };

/** One member of a group: hands out records within its credit, commits, publishes. */
export class MemorySession implements BrokerSession, AssignmentOwner {
  readonly committed: Observable<Position>;
  readonly exactlyOnce: boolean;
  /** Partitions of the topics that are read. */
  subscribed: readonly PartitionLog[] = [];
  private readonly topics: Topics;
  private readonly group: ConsumerGroup;
  private readonly options: SessionOptions;
  private readonly faults: Faults;
  private readonly commits = new Subject<Position>();
  private readonly assignments: Assignment[] = [];
  private out: Subscriber<Delivery> | undefined = undefined;
  private inFlight = 0;
  private turn = 0;
  private pumping = false;
  private scheduled = false;
  private closed = false;
  private draining: Drain | undefined = undefined;
  private drained: Promise<DrainReport> | undefined = undefined;
  private readonly wake = (): void => this.schedule();

  constructor(topics: Topics, group: ConsumerGroup, options: SessionOptions, faults: Faults) {
    this.topics = topics;
    this.group = group;
    this.options = options;
    this.faults = faults;
    this.exactlyOnce = options.processingGuarantee === "exactly_once";
    this.committed = this.commits.asObservable();
  }

  deliveries(topics: readonly string[]): Observable<Delivery> {
    return new Observable((subscriber) => {
      if (this.closed || this.out !== undefined) {
        subscriber.error(new StoppedError("deliveries of a session are subscribed once, before close()"));
        return undefined;
      }
      this.out = subscriber;
      this.subscribed = topics.flatMap((topic) => this.topics.partitionsOf(topic));
      this.group.join(this);
      this.schedule();
      return () => this.leave();
    });
  }

  async publish(outs: readonly OutgoingRecord[]): Promise<void> {
    if (this.closed) throw new StoppedError("publish after close()");
    this.write(outs, outside);
  }

  lag(): ReadonlyMap<string, number> {
    return new Map(this.assignments.map((assignment) => [assignment.log.id, assignment.lag]));
  }

  drain(ms: number): Promise<DrainReport> {
    this.drained ??= this.begin(ms);
    return this.drained;
  }

  private begin(ms: number): Promise<DrainReport> {
    const began = this.inFlight;
    let waiting = 0;
    for (const assignment of this.assignments) waiting += assignment.releaseWaiting();
    this.inFlight -= waiting;
    const { scheduler } = this.options;
    const over = (): void => this.out?.complete();
    this.draining = new Drain({ began, released: waiting, ms, scheduler, over });
    if (this.inFlight === 0) this.draining.finish();
    return this.draining.report;
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.leave();
    this.faults.forget(this);
    this.commits.complete();
    this.out?.complete();
  }

  resetOf(topic: string): AutoOffsetReset {
    return this.options.autoOffsetReset[topic] ?? "earliest";
  }

  assign(assignment: Assignment): void {
    this.assignments.push(assignment);
    assignment.log.readers.add(this.wake);
    this.schedule();
  }

  revoke(log: PartitionLog): void {
    const index = this.assignments.findIndex((assignment) => assignment.log === log);
    const [assignment] = index === -1 ? [] : this.assignments.splice(index, 1);
    if (assignment === undefined) return;
    log.readers.delete(this.wake);
    this.inFlight -= assignment.lose();
    if (this.inFlight === 0) this.draining?.finish();
    this.schedule();
  }

  /** A fault: the connection breaks. */
  fail(reason: string): void {
    this.out?.error(new BrokerError(reason, "memory"));
    this.leave();
  }

  /** A fault: what is out is handed out once more. */
  redeliver(): void {
    for (const assignment of this.assignments) assignment.redeliver();
  }

  write(outs: readonly OutgoingRecord[], origin: Origin): void {
    this.check(outs, origin);
    this.append(outs);
  }

  append(outs: readonly OutgoingRecord[]): void {
    for (const out of outs) this.topics.append(out);
  }

  check(outs: readonly OutgoingRecord[], origin: Origin): void {
    const refused = this.faults.refusal(outs);
    if (refused !== undefined)
      throw new PublishError(refused.message, origin.position, { retryable: refused.retryable });
    for (const out of outs) this.topics.check(out, origin);
  }

  /** One announcement for all that is committed in one go. */
  announce(assignment: Assignment): void {
    queueMicrotask(() => this.commits.next(assignment.announced()));
  }

  acked(): void {
    this.inFlight -= 1;
    this.freed();
    if (!this.pumping) this.pump();
  }

  settled(): void {
    this.draining?.count("settled");
  }

  nacked(attempt: number, again: () => void): Subscription | undefined {
    // It keeps its slot and its credit while it waits.
    if (this.draining === undefined)
      return this.options.scheduler.schedule(again, Math.min(100 * 2 ** (attempt - 1), 10_000));
    this.inFlight -= 1;
    this.draining.count("released");
    this.freed();
    return undefined;
  }

  emit(delivery: MemoryDelivery): void {
    if (this.draining === undefined) this.out?.next(delivery);
  }

  /** In a microtask: whoever publishes does not run the consumers on its own stack. */
  private schedule(): void {
    if (this.scheduled || this.pumping) return;
    this.scheduled = true;
    queueMicrotask(() => {
      this.scheduled = false;
      this.pump();
    });
  }

  private pump(delayed = false): void {
    if (this.pumping || this.closed || this.draining !== undefined || this.out === undefined) return;
    if (this.faults.delayMs > 0 && !delayed) return this.pumpLater();
    this.pumping = true;
    const until = performance.now() + sliceMs;
    let count = 0;
    while (this.inFlight < this.options.maxInFlight && this.draining === undefined) {
      const delivery = this.takeNext();
      if (delivery === undefined) break;
      this.inFlight += 1;
      this.out.next(delivery);
      count += 1;
      if ((count & 255) === 0 && performance.now() > until) {
        this.pumping = false;
        setImmediate(() => this.pump());
        return;
      }
    }
    this.pumping = false;
  }

  /** A fault: what could be handed out now is handed out later. */
  private pumpLater(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.options.scheduler.schedule(() => {
      this.scheduled = false;
      this.pump(true);
    }, this.faults.delayMs);
  }

  /** Partitions take turns, record by record. */
  private takeNext(): MemoryDelivery | undefined {
    const { length } = this.assignments;
    for (let tries = 0; tries < length; tries += 1) {
      this.turn = this.turn + 1 < length ? this.turn + 1 : 0;
      const delivery = this.assignments[this.turn]?.take();
      if (delivery !== undefined) return delivery;
    }
    return undefined;
  }

  private freed(): void {
    if (this.inFlight === 0) this.draining?.finish();
  }

  private leave(): void {
    for (const { log } of [...this.assignments]) this.revoke(log);
    this.group.leave(this);
  }
}
