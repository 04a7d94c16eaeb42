import type { OperatorFunction } from "rxjs";
import type { Lineage } from "../core/lineage.ts";
import type { StreamRecord } from "../core/record.ts";
import { flowOf, type Envelope } from "./envelope.ts";
import { FairQueue } from "../core/fair-queue.ts";
import type { NodeContext } from "./node-context.ts";
import { operate } from "./operate.ts";
import type { Out } from "./per-record.ts";

/** Length of an array up to which its children go out in one go. */
const shortArray = 64;

/** The iterable of a record, and how one of its items becomes a record. */
export interface Fan<K, V, T, RK, RV> {
  readonly project: (record: StreamRecord<K, V>) => Iterable<T>;
  readonly wrap: (item: T, record: StreamRecord<K, V>) => StreamRecord<RK, RV>;
}

/** One record whose iterable is being pulled. */
interface Pull<K, V, T> {
  readonly envelope: Envelope<K, V>;
  /** An array is read by index: no iterator, no result objects. */
  items: Iterator<T> | readonly T[] | undefined;
  /** Children that went out. */
  emitted: number;
  /** Children still to pass over, after a RETRY made the iterable anew. */
  skip: number;
}

/**
 * One record in, as many out as the iterable gives, in its order.
 *
 * The iterable is pulled, and only while the queues downstream have room: a million children cost no memory. Records that wait in the middle of
 * their iterables take turns, in order within a line. When pulling fails and the policy says RETRY, the iterable is made anew and the
 * children that went out before are passed over.
 */
export function flatMap<K, V, T, RK, RV>(
  fan: Fan<K, V, T, RK, RV>,
  context: NodeContext,
): OperatorFunction<Envelope<K, V>, Envelope<RK, RV>> {
  return operate((out) => {
    const pulls = new Pulls(fan, context, out);
    return (envelope) => pulls.take(envelope);
  });
}

class Pulls<K, V, T, RK, RV> {
  private readonly fan: Fan<K, V, T, RK, RV>;
  private readonly context: NodeContext;
  private readonly out: Out<Envelope<RK, RV>>;
  private readonly waiting = new FairQueue<Pull<K, V, T>>();
  private asked = false;

  constructor(fan: Fan<K, V, T, RK, RV>, context: NodeContext, out: Out<Envelope<RK, RV>>) {
    this.fan = fan;
    this.context = context;
    this.out = out;
  }

  take(envelope: Envelope<K, V>): void {
    this.context.metrics.processed += 1;
    const { root } = envelope.lineage;
    if (this.waiting.size > 0 || !this.context.pressure.admits(flowOf(envelope)) || root.over)
      return this.start(pullOf(envelope, undefined));
    let items: Iterable<T>;
    try {
      items = this.fan.project(envelope.record);
    } catch (cause) {
      this.context.errors.handle(cause, envelope, () => this.start(pullOf(envelope, undefined)));
      return;
    }
    // Nearly always there is room for all of a short array: no state is kept for it then.
    if (Array.isArray(items) && items.length <= shortArray) this.emitAll(envelope, items as readonly T[]);
    else this.start(pullOf<K, V, T>(envelope, itemsOf(items)));
  }

  /** A short array, as long as there is room. */
  private emitAll(envelope: Envelope<K, V>, items: readonly T[]): void {
    let emitted = 0;
    const flow = flowOf(envelope);
    try {
      for (; emitted < items.length && this.context.pressure.admits(flow); emitted += 1) {
        const record = this.fan.wrap(items[emitted] as T, envelope.record); // within its length
        this.out.next({ record, lineage: envelope.lineage.fork() });
      }
    } catch (cause) {
      const again = (): void => this.start({ envelope, items: undefined, emitted, skip: emitted });
      this.context.errors.handle(cause, envelope, again);
      return;
    }
    if (emitted === items.length) envelope.lineage.done();
    else this.start({ envelope, items, emitted, skip: 0 });
  }

  private start(pull: Pull<K, V, T>): void {
    const flow = flowOf(pull.envelope);
    if (!this.waiting.has(flow)) {
      while (this.context.pressure.admits(flow)) if (!this.step(pull)) return;
    }
    this.waiting.add(pull, flow);
    this.context.metrics.queued = this.waiting.size;
    if (this.asked) return;
    this.asked = true;
    this.context.pressure.ask(() => this.turn());
  }

  /** One child of the record whose turn it is. */
  private turn(): boolean {
    const pull = this.waiting.peek();
    if (pull === undefined || !this.step(pull)) this.waiting.shift();
    else this.waiting.rotate();
    this.context.metrics.queued = this.waiting.size;
    this.asked = this.waiting.size > 0;
    return this.asked;
  }

  /** Pulls one child and passes it on; false when there are no more. */
  private step(pull: Pull<K, V, T>): boolean {
    const { record, lineage } = pull.envelope;
    try {
      if (lineage.root.over) {
        // As a loop that is left does: a generator gets to its `finally`.
        if (pull.items !== undefined && !Array.isArray(pull.items)) (pull.items as Iterator<T>).return?.();
        return this.ended(lineage);
      }
      pull.items ??= itemsOf(this.fan.project(record));
      if (Array.isArray(pull.items)) {
        if (pull.emitted >= pull.items.length) return this.ended(lineage);
        this.emit(pull, pull.items[pull.emitted] as T); // within its length
        return true;
      }
      // Array.isArray does not narrow a readonly array away, here and above.
      const result: IteratorResult<T, unknown> = (pull.items as Iterator<T>).next();
      if (result.done === true) return this.ended(lineage);
      if (pull.skip > 0) pull.skip -= 1;
      else this.emit(pull, result.value);
      return true;
    } catch (cause) {
      this.context.errors.handle(cause, pull.envelope, () =>
        this.start({ ...pull, items: undefined, skip: pull.emitted }),
      );
      return false;
    }
  }

  private emit(pull: Pull<K, V, T>, item: T): void {
    const { record, lineage } = pull.envelope;
    const child = this.fan.wrap(item, record);
    pull.emitted += 1;
    this.out.next({ record: child, lineage: lineage.fork() });
  }

  private ended(lineage: Lineage): boolean {
    lineage.done();
    return false;
  }
}

function pullOf<K, V, T>(envelope: Envelope<K, V>, items: Pull<K, V, T>["items"]): Pull<K, V, T> {
  return { envelope, items, emitted: 0, skip: 0 };
}

function itemsOf<T>(iterable: Iterable<T>): Iterator<T> | readonly T[] {
  return Array.isArray(iterable) ? (iterable as readonly T[]) : iterable[Symbol.iterator]();
}
