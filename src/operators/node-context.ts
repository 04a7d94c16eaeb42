import type { SchedulerLike } from "rxjs";
import { Histogram, rowBounds } from "../core/histogram.ts";
import type { Tracing } from "../core/tracing.ts";
import { CallTimes } from "./call-times.ts";
import type { AnyEnvelope } from "./envelope.ts";
import type { Pressure } from "./pressure.ts";

/** What a node does with an error that one record caused; decided by the error policy of the app. */
export interface NodeErrors {
  /**
   * Settles `envelope`, or arranges for `retry` to be called later. Never throws.
   *
   * The caller must not touch the envelope after it, except inside `retry`.
   */
  handle(cause: unknown, envelope: AnyEnvelope, retry: () => void): void;
  /** An error that no record caused: the app stops with it. */
  uncaught(cause: unknown): void;
}

/** Counters of one node, read by whoever exposes metrics. */
export interface NodeMetrics {
  /** Records that came in. */
  processed: number;
  /** Records that went out. */
  emitted: number;
  /** Errors that the policy was asked about. */
  errors: number;
  /** Records that the policy skipped. */
  dropped: number;
  /** Records (rows, for a batch) that wait in the node. */
  queued: number;
  /** Calls under way that will end by themselves: promises, batches in an engine. */
  running: number;
  /** Records kept until something happens: a processor's holds, the inputs of open inner Observables. */
  held: number;
  /** Batches formed, and rows in them. */
  batches: number;
  batchedRows: number;
  readonly rowsOfBatches: Histogram;
  /** Time spent inside the user's or the model's asynchronous calls, summed over calls that have ended, milliseconds. */
  busyMs: number;
  readonly calls: CallTimes;
  /**
   * Of a node that ends a stream: time from a record's timestamp to its leaving, milliseconds; again when it is tried again. Undefined until
   * somebody sets it to have it measured: that reads the clock for each record.
   */
  endToEndMs: Histogram | undefined;
}

/** What an operator gets beside its function: all that ties it to the app it runs in. */
export interface NodeContext {
  readonly name: string;
  readonly errors: NodeErrors;
  /** The source of time: virtual in tests. */
  readonly scheduler: SchedulerLike;
  readonly metrics: NodeMetrics;
  readonly pressure: Pressure;
  /** Aborts when a drain begins: whoever waits for more input stops waiting. */
  readonly draining: AbortSignal;
  /** @default none */
  readonly tracing?: Tracing;
}

export function nodeMetrics(): NodeMetrics {
  return {
    processed: 0,
    emitted: 0,
    errors: 0,
    dropped: 0,
    queued: 0,
    running: 0,
    held: 0,
    batches: 0,
    batchedRows: 0,
    rowsOfBatches: new Histogram(rowBounds),
    busyMs: 0,
    calls: new CallTimes(),
    endToEndMs: undefined,
  };
}
