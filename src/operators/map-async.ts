import type { OperatorFunction } from "rxjs";
import type { StreamRecord } from "../core/record.ts";
import { flowOf, type Envelope } from "./envelope.ts";
import { FairQueue } from "../core/fair-queue.ts";
import type { NodeContext } from "./node-context.ts";
import { operate } from "./operate.ts";
import type { Out } from "./per-record.ts";
import { Threshold } from "./threshold.ts";

/**
 * One record in, one out, made by an asynchronous function; at most `concurrency` calls at a time.
 *
 * Results come in the order in which the calls end; the runtime restores order at the sinks. Records that wait take turns between lines.
 */
export function mapAsync<K, V, R>(
  project: (value: V, record: StreamRecord<K, V>) => PromiseLike<R> | R,
  concurrency: number,
  context: NodeContext,
): OperatorFunction<Envelope<K, V>, Envelope<K, R>> {
  return operate((out) => {
    const calls = new Calls(project, concurrency, context, out);
    return (envelope) => calls.take(envelope);
  });
}

class Calls<K, V, R> {
  private readonly project: (value: V, record: StreamRecord<K, V>) => PromiseLike<R> | R;
  private readonly concurrency: number;
  private readonly context: NodeContext;
  private readonly out: Out<Envelope<K, R>>;
  private readonly waiting = new FairQueue<Envelope<K, V>>();
  private readonly threshold: Threshold;
  /** Our calls under way; the metrics count those of a pipeline that this one has replaced, too. */
  private running = 0;

  constructor(
    project: (value: V, record: StreamRecord<K, V>) => PromiseLike<R> | R,
    concurrency: number,
    context: NodeContext,
    out: Out<Envelope<K, R>>,
  ) {
    this.project = project;
    this.concurrency = concurrency;
    this.context = context;
    this.out = out;
    this.threshold = new Threshold(Math.max(concurrency * 8, 64), context.pressure, (flow) => this.waiting.has(flow));
  }

  take(envelope: Envelope<K, V>): void {
    this.context.metrics.processed += 1;
    this.enqueue(envelope);
  }

  private enqueue(envelope: Envelope<K, V>): void {
    this.waiting.add(envelope, flowOf(envelope));
    this.advance();
  }

  private advance(): void {
    while (this.running < this.concurrency) {
      const envelope = this.waiting.shift();
      if (envelope === undefined) break;
      if (envelope.lineage.root.over) envelope.lineage.done();
      else this.call(envelope);
    }
    this.context.metrics.queued = this.waiting.size;
    this.threshold.measure(this.waiting.size);
  }

  private call(envelope: Envelope<K, V>): void {
    const { metrics, scheduler } = this.context;
    const began = scheduler.now();
    const ended = (): void => {
      this.running -= 1;
      metrics.running -= 1;
      metrics.busyMs += metrics.calls.end(began, scheduler.now());
    };
    this.running += 1;
    metrics.running += 1;
    metrics.calls.begin(began);
    const { record, lineage } = envelope;
    // The executor turns a synchronous throw into a rejection: one path for both.
    new Promise<R>((resolve) => {
      resolve(this.project(record.value, record));
    }).then(
      (value) => {
        ended();
        if (lineage.root.over) lineage.done();
        else this.out.next({ record: record.withValue(value), lineage });
        this.advance();
      },
      (cause: unknown) => {
        ended();
        this.context.errors.handle(cause, envelope, () => this.enqueue(envelope));
        this.advance();
      },
    );
  }
}
