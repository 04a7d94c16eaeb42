import { from, Observable, type ObservableInput, type OperatorFunction, type Subscription } from "rxjs";
import type { StreamRecord } from "../core/record.ts";
import type { Envelope } from "./envelope.ts";
import { FairQueue } from "./fair-queue.ts";
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

class Inners<K, V, R> {
  private readonly project: (value: V, record: StreamRecord<K, V>) => ObservableInput<R>;
  private readonly concurrency: number;
  private readonly context: NodeContext;
  private readonly out: Out<Envelope<K, R>>;
  private readonly waiting = new FairQueue<Envelope<K, V>>();
  private readonly running = new Set<Subscription>();
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
    for (const subscription of this.running) subscription.unsubscribe();
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
    const { metrics } = this.context;
    while (metrics.held < this.concurrency) {
      const envelope = this.waiting.shift();
      if (envelope === undefined) break;
      if (envelope.lineage.root.over) envelope.lineage.done();
      else this.open(envelope);
    }
    metrics.queued = this.waiting.size;
    this.advancing = false;
    this.threshold.measure(this.waiting.size);
  }

  private open(envelope: Envelope<K, V>): void {
    const { metrics, errors } = this.context;
    const { record, lineage } = envelope;
    const inner = this.observe(envelope);
    let subscription: Subscription | undefined;
    const ended = (): void => {
      metrics.held -= 1;
      if (subscription !== undefined) this.running.delete(subscription);
    };
    metrics.held += 1;
    subscription = inner.subscribe({
      next: (value) => this.out.next({ record: record.withValue(value), lineage: lineage.fork() }),
      error: (cause: unknown) => {
        ended();
        errors.handle(cause, envelope, () => this.enqueue(envelope));
        this.advance();
      },
      complete: () => {
        ended();
        lineage.done();
        this.advance();
      },
    });
    if (!subscription.closed) this.running.add(subscription);
  }

  /** What the project gives, as an Observable; a throw becomes its error. */
  private observe({ record }: Envelope<K, V>): Observable<R> {
    return new Observable<R>((subscriber) => from(this.project(record.value, record)).subscribe(subscriber));
  }
}
