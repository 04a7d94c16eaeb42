import { Observable, type OperatorFunction } from "rxjs";
import type { StreamRecord } from "../core/record.ts";
import type { Envelope } from "./envelope.ts";
import { FairQueue } from "./fair-queue.ts";
import type { NodeContext } from "./node-context.ts";
import type { Out } from "./per-record.ts";

type Project<K, V, RK, RV> = (record: StreamRecord<K, V>) => Iterable<StreamRecord<RK, RV>>;

/** One record whose iterable is being pulled. */
interface Pull<K, V, RK, RV> {
  readonly envelope: Envelope<K, V>;
  iterator: Iterator<StreamRecord<RK, RV>> | undefined;
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
export function flatMap<K, V, RK, RV>(
  project: Project<K, V, RK, RV>,
  context: NodeContext,
): OperatorFunction<Envelope<K, V>, Envelope<RK, RV>> {
  return (source) =>
    new Observable((out) => {
      const fan = new FanOut(project, context, out);
      return source.subscribe({
        next: (envelope) => fan.take(envelope),
        error: (cause: unknown) => out.error(cause),
        complete: () => out.complete(),
      });
    });
}

class FanOut<K, V, RK, RV> {
  private readonly project: Project<K, V, RK, RV>;
  private readonly context: NodeContext;
  private readonly out: Out<Envelope<RK, RV>>;
  private readonly waiting = new FairQueue<Pull<K, V, RK, RV>>();
  private asked = false;

  constructor(project: Project<K, V, RK, RV>, context: NodeContext, out: Out<Envelope<RK, RV>>) {
    this.project = project;
    this.context = context;
    this.out = out;
  }

  take(envelope: Envelope<K, V>): void {
    this.context.metrics.processed += 1;
    this.start({ envelope, iterator: undefined, emitted: 0, skip: 0 });
  }

  private start(pull: Pull<K, V, RK, RV>): void {
    const flow = pull.envelope.lineage.root.home;
    if (flow === undefined || !this.waiting.has(flow)) {
      while (this.context.pressure.open) if (!this.step(pull)) return;
    }
    this.waiting.add(pull, flow ?? pull);
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
  private step(pull: Pull<K, V, RK, RV>): boolean {
    const { record, lineage } = pull.envelope;
    if (lineage.root.over) {
      lineage.done();
      return false;
    }
    try {
      pull.iterator ??= this.project(record)[Symbol.iterator]();
      const { done, value } = pull.iterator.next();
      if (done === true) {
        lineage.done();
        return false;
      }
      if (pull.skip > 0) {
        pull.skip -= 1;
        return true;
      }
      pull.emitted += 1;
      this.out.next({ record: value, lineage: lineage.fork() });
      return true;
    } catch (cause) {
      this.context.errors.handle(cause, pull.envelope, () =>
        this.start({ ...pull, iterator: undefined, skip: pull.emitted }),
      );
      return false;
    }
  }
}
