import type { OperatorFunction, Subscription } from "rxjs";
import type { StreamRecord } from "../core/record.ts";
import type { Envelope } from "./envelope.ts";
import { BatchQueue, type Item, type Part } from "./batch-queue.ts";
import type { NodeContext } from "./node-context.ts";
import { operate } from "./operate.ts";
import type { Out } from "./per-record.ts";
import { Threshold } from "./threshold.ts";

export interface BatchMapOptions<V, O> {
  /** Most rows in a batch. Minimum 1. */
  readonly maxSize: number;
  /** Longest time that a batch below `maxSize` waits for more, milliseconds. @default 0: an idle engine waits for nothing */
  readonly maxWaitMs?: number;
  /** Queued rows from which on no more are taken in. @default 8 × maxSize */
  readonly maxQueuedWeight?: number;
  /** Batches under way at a time. @default 1 */
  readonly concurrency?: number;
  /** Rows of a value. @default 1 for each */
  readonly rows?: (value: V) => number;
  /** Rows `from` to `to` (half-open) of a value. Without it a value is never cut. */
  readonly slice?: (value: V, from: number, to: number) => V;
  /** Puts the outputs of slices together, in row order. Needed with `slice`. */
  readonly join?: (outputs: readonly O[]) => O;
}

/**
 * Calls `fn` with what has queued, as soon as it is free: greedy batches, counted in rows.
 *
 * While a batch is under way, records queue; when it ends, the next takes all that is there, up to `maxSize` rows. Values that don't fit are cut and put
 * together again. Lines and unordered records take turns, so that one row never waits behind a value of ten thousand. No timer exists
 * unless `maxWaitMs` asks for one.
 *
 * `fn` gives one output per value, in the same order. `emit` makes the record that goes out. When a batch fails it is cut in halves until the
 * record that is to blame is alone; only that one is a question to the policy.
 */
export function batchMap<K, V, O, R>(
  options: BatchMapOptions<V, O>,
  fn: (values: readonly V[], records: readonly StreamRecord<K, V>[]) => Promise<readonly O[]>,
  emit: (record: StreamRecord<K, V>, output: O) => StreamRecord<K, R>,
  context: NodeContext,
): OperatorFunction<Envelope<K, V>, Envelope<K, R>> {
  return operate((out) => {
    const batches = new Batches(options, fn, emit, context, out);
    const flush = (): void => batches.flush();
    context.draining.addEventListener("abort", flush);
    out.add(() => {
      context.draining.removeEventListener("abort", flush);
      batches.stop();
    });
    return (envelope) => batches.take(envelope);
  });
}

class Batches<K, V, O, R> {
  private readonly options: BatchMapOptions<V, O>;
  private readonly fn: (values: readonly V[], records: readonly StreamRecord<K, V>[]) => Promise<readonly O[]>;
  private readonly emit: (record: StreamRecord<K, V>, output: O) => StreamRecord<K, R>;
  private readonly context: NodeContext;
  private readonly out: Out<Envelope<K, R>>;
  private readonly queue: BatchQueue<K, V, O>;
  private readonly threshold: Threshold;
  private forming = false;
  /** Our batches under way; the metrics count those of a pipeline that this one has replaced, too. */
  private running = 0;
  private timer: Subscription | undefined = undefined;
  /** Since when the rows that are queued have waited, on the scheduler's clock. */
  private since = 0;

  constructor(
    options: BatchMapOptions<V, O>,
    fn: (values: readonly V[], records: readonly StreamRecord<K, V>[]) => Promise<readonly O[]>,
    emit: (record: StreamRecord<K, V>, output: O) => StreamRecord<K, R>,
    context: NodeContext,
    out: Out<Envelope<K, R>>,
  ) {
    this.options = options;
    this.fn = fn;
    this.emit = emit;
    this.context = context;
    this.out = out;
    this.queue = new BatchQueue(options.slice !== undefined);
    this.threshold = new Threshold(options.maxQueuedWeight ?? 8 * options.maxSize, context.pressure, (flow) =>
      this.queue.has(flow),
    );
  }

  take(envelope: Envelope<K, V>): void {
    this.context.metrics.processed += 1;
    this.enqueue(envelope);
  }

  /** Stops waiting for more. */
  flush(): void {
    this.timer?.unsubscribe();
    this.timer = undefined;
    this.form();
  }

  stop(): void {
    this.timer?.unsubscribe();
  }

  private enqueue(envelope: Envelope<K, V>): void {
    try {
      const rows = this.options.rows?.(envelope.record.value) ?? 1;
      if (!Number.isInteger(rows) || rows < 1) {
        throw new RangeError(`a value has a whole number of rows, at least 1; got ${rows}`);
      }
      if (this.queue.rows === 0) this.since = this.context.scheduler.now();
      this.queue.add(envelope, rows);
    } catch (cause) {
      this.context.errors.handle(cause, envelope, () => this.enqueue(envelope));
      return;
    }
    this.measure();
    this.schedule();
  }

  /** What arrives in the same tick goes into the same batch; that needs a microtask, not a timer. */
  private schedule(): void {
    if (this.forming || this.running >= (this.options.concurrency ?? 1)) return;
    this.forming = true;
    queueMicrotask(() => {
      this.forming = false;
      this.form();
    });
  }

  private form(): void {
    while (this.running < (this.options.concurrency ?? 1) && this.queue.rows > 0) {
      if (this.shouldWait()) return;
      this.timer?.unsubscribe();
      this.timer = undefined;
      this.since = this.context.scheduler.now();
      const parts = this.queue.take(this.options.maxSize);
      this.measure();
      if (parts.length > 0) void this.run(parts);
    }
  }

  private shouldWait(): boolean {
    const { maxWaitMs = 0, maxSize } = this.options;
    if (maxWaitMs <= 0 || this.queue.rows >= maxSize || this.context.draining.aborted) return false;
    const { scheduler } = this.context;
    const waited = scheduler.now() - this.since;
    if (waited >= maxWaitMs) return false;
    this.timer ??= scheduler.schedule(() => this.flush(), maxWaitMs - waited);
    return true;
  }

  /** One slot of concurrency: the batch, and its halves if it fails. */
  private async run(parts: readonly Part<K, V, O>[]): Promise<void> {
    const { metrics, scheduler } = this.context;
    this.running += 1;
    metrics.running += 1;
    metrics.batches += 1;
    const rows = rowsOf(parts);
    metrics.batchedRows += rows;
    metrics.rowsOfBatches.observe(rows);
    const began = scheduler.now();
    metrics.calls.begin(began);
    await this.attempt(parts);
    metrics.busyMs += metrics.calls.end(began, scheduler.now());
    metrics.running -= 1;
    this.running -= 1;
    this.form();
  }

  private async attempt(parts: readonly Part<K, V, O>[]): Promise<void> {
    let outputs: readonly O[];
    try {
      outputs = await this.call(parts);
    } catch (cause) {
      const [first] = parts;
      if (parts.length === 1 && first !== undefined) return this.fail(first.item, cause);
      const middle = parts.length >> 1;
      await this.attempt(parts.slice(0, middle));
      await this.attempt(parts.slice(middle));
      return;
    }
    parts.forEach((part, index) => this.settle(part, outputs[index] as O)); // the length was checked in `call`
  }

  private async call(parts: readonly Part<K, V, O>[]): Promise<readonly O[]> {
    const values = parts.map(({ item, from, to }) => {
      const { value } = item.envelope.record;
      const whole = from === 0 && to === item.rows;
      // The queue cuts only when there is a `slice`.
      return whole ? value : (this.options.slice as (value: V, from: number, to: number) => V)(value, from, to);
    });
    const records = parts.map(({ item }) => item.envelope.record);
    const { name: node, tracing } = this.context;
    const call = (): Promise<readonly O[]> => this.fn(values, records);
    const outputs = await (tracing === undefined
      ? call()
      : tracing.batch({ node, rows: rowsOf(parts), sources: records.map(({ headers }) => headers) }, call));
    if (outputs.length === parts.length) return outputs;
    throw new RangeError(`a batch of ${parts.length} values must give as many results, got ${outputs.length}`);
  }

  private settle({ item, from, to }: Part<K, V, O>, output: O): void {
    if (item.failed) return;
    item.outputs.push({ from, output });
    item.answered += to - from;
    if (item.answered < item.end) return;
    const { envelope } = item;
    if (envelope.lineage.root.over) return envelope.lineage.done();
    try {
      this.out.next({ record: this.emit(envelope.record, this.whole(item, output)), lineage: envelope.lineage });
    } catch (cause) {
      this.fail(item, cause);
    }
  }

  private whole(item: Item<K, V, O>, output: O): O {
    const { outputs } = item;
    if (outputs.length === 1) return output;
    outputs.sort((a, b) => a.from - b.from);
    // Only a cut value has several outputs, and cutting needs `slice`, which needs `join`.
    return (this.options.join as (outputs: readonly O[]) => O)(outputs.map((piece) => piece.output));
  }

  private fail(item: Item<K, V, O>, cause: unknown): void {
    if (item.failed) return;
    item.failed = true;
    this.queue.forget(item);
    this.measure();
    this.context.errors.handle(cause, item.envelope, () => this.enqueue(item.envelope));
  }

  private measure(): void {
    this.context.metrics.queued = this.queue.rows;
    this.threshold.measure(this.queue.rows);
  }
}

function rowsOf(parts: readonly Part<unknown, unknown, unknown>[]): number {
  return parts.reduce((rows, { from, to }) => rows + to - from, 0);
}
