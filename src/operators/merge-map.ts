import { defer, type ObservableInput, type OperatorFunction, type Subscription, takeWhile } from "rxjs";
import type { StreamRecord } from "../core/record.ts";
import type { Envelope } from "./envelope.ts";
import { FairQueue } from "../core/fair-queue.ts";
import type { NodeContext } from "./node-context.ts";
import { operate } from "./operate.ts";
import type { Out } from "./per-record.ts";
import { Threshold } from "./threshold.ts";

/**
 * RxJS's `mergeMap`, per record: each value that the inner Observable emits is a record of its own; when it completes, the input's share ends.
 *
 * At most `concurrency` inner Observables at a time; the rest wait in fair turns. An inner error is a question to the policy; on RETRY the project runs
 * again from the start, and the values that were emitted before stand.
 */
export function mergeMap<K, V, R>(
  project: (value: V, record: StreamRecord<K, V>) => ObservableInput<R>,
  concurrency: number,
  context: NodeContext,
): OperatorFunction<Envelope<K, V>, Envelope<K, R>> {
  return operate((out) => {
    const inners = new Inners(project, concurrency, context, out);
    out.add(() => inners.stop());
    return (envelope) => inners.take(envelope);
  });
}

/** An inner Observable that is open, and the counter that it is in. */
interface Inner {
  counted: "held" | "running";
  subscription: Subscription | undefined;
}

class Inners<K, V, R> {
  private readonly project: (value: V, record: StreamRecord<K, V>) => ObservableInput<R>;
  private readonly concurrency: number;
  private readonly context: NodeContext;
  private readonly out: Out<Envelope<K, R>>;
  private readonly waiting = new FairQueue<Envelope<K, V>>();
  private readonly inners = new Set<Inner>();
  private readonly threshold: Threshold;
  private advancing = false;

  constructor(
    project: (value: V, record: StreamRecord<K, V>) => ObservableInput<R>,
    concurrency: number,
    context: NodeContext,
    out: Out<Envelope<K, R>>,
  ) {
    this.project = project;
    this.concurrency = concurrency;
    this.context = context;
    this.out = out;
    this.threshold = new Threshold(Math.max(concurrency * 8, 64), context.pressure);
  }

  take(envelope: Envelope<K, V>): void {
    this.context.metrics.processed += 1;
    this.enqueue(envelope);
  }

  stop(): void {
    for (const inner of this.inners) {
      inner.subscription?.unsubscribe();
      this.ended(inner);
    }
  }

  private enqueue(envelope: Envelope<K, V>): void {
    // One flow: RxJS starts inner Observables in the order of arrival, which concatMap relies on.
    this.waiting.add(envelope, this);
    this.advance();
  }

  private advance(): void {
    // A synchronous inner Observable ends inside `open`: without the guard a long queue would be a deep recursion.
    if (this.advancing) return;
    this.advancing = true;
    while (this.inners.size < this.concurrency) {
      const envelope = this.waiting.shift();
      if (envelope === undefined) break;
      if (envelope.lineage.root.over) envelope.lineage.done();
      else this.open(envelope);
    }
    this.context.metrics.queued = this.waiting.size;
    this.advancing = false;
    this.threshold.measure(this.waiting.size);
  }

  private open(envelope: Envelope<K, V>): void {
    const { metrics, errors } = this.context;
    const { record, lineage } = envelope;
    const inner: Inner = { counted: "held", subscription: undefined };
    this.inners.add(inner);
    metrics.held += 1;
    const values = defer(() => {
      const input = this.project(record.value, record);
      if ("then" in Object(input)) this.isCall(inner);
      return input;
    });
    // What a lost lane still emits ends its inner Observable.
    inner.subscription = values.pipe(takeWhile(() => !lineage.root.over)).subscribe({
      next: (value) => this.out.next({ record: record.withValue(value), lineage: lineage.fork() }),
      error: (cause: unknown) => {
        this.ended(inner);
        errors.handle(cause, envelope, () => this.enqueue(envelope));
        this.advance();
      },
      complete: () => {
        this.ended(inner);
        lineage.done();
        this.advance();
      },
    });
  }

  /** A promise ends by itself; of an Observable nobody knows. */
  private isCall(inner: Inner): void {
    const { metrics } = this.context;
    inner.counted = "running";
    metrics.held -= 1;
    metrics.running += 1;
  }

  private ended(inner: Inner): void {
    if (this.inners.delete(inner)) this.context.metrics[inner.counted] -= 1;
  }
}
