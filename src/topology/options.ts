import type { AutoOffsetReset } from "../core/broker.ts";
import type { StreamsError } from "../core/errors.ts";
import type { Position, RawRecord, StreamRecord } from "../core/record.ts";
import type { Deserializer, Serializer } from "../core/serde.ts";
import type { Ordered } from "./nodes.ts";

/**
 * What happens to a record that caused an error.
 *
 * - `CONTINUE`: it is skipped, counted and logged.
 * - `RETRY`: it is tried again after a backoff; when the attempts are used up it is dead-lettered if the error is the record's own
 *   fault (`retryable: false`), else the app fails.
 * - `DEAD_LETTER`: its delivery's original bytes go to the dead letter topic.
 * - `FAIL`: the app goes to `ERROR`; nothing is acked that was not done.
 */
export type ErrorAnswer = "CONTINUE" | "RETRY" | "DEAD_LETTER" | "FAIL";

/** Where and at what an error struck. */
export interface ErrorContext {
  readonly node: string;
  readonly position: Position;
  /** How many times this record has failed here, from 1. */
  readonly attempt: number;
  /** The source's bytes. */
  readonly record: RawRecord;
}

export type ErrorHandler = (error: StreamsError, context: ErrorContext) => ErrorAnswer;

/** An answer, or a function that gives one. */
export type ErrorHandling = ErrorAnswer | ErrorHandler;

/** A name for a node: unique in the topology; letters, digits, `.`, `_` and `-`, at most 249. */
export interface Named {
  readonly name?: string;
}

export interface NodeOptions extends Named {
  /** Takes the place of the app's handler for this node. */
  readonly onError?: ErrorHandling;
}

export interface StreamOptions<K, V> extends NodeOptions {
  /** Reads keys. @default UTF-8 text */
  readonly key?: Deserializer<K>;
  readonly value: Deserializer<V>;
  /** Where a group that has committed nothing begins. @default "earliest" */
  readonly autoOffsetReset?: AutoOffsetReset;
  /** Gives a record its timestamp, milliseconds since the epoch. @default the broker's */
  readonly timestamp?: (value: V, record: RawRecord) => number;
}

/** `key` may be left out where keys are text (or null). */
export type ToOptions<K, V> = NodeOptions & {
  readonly value: Serializer<V>;
  /** Picks the partition, 0 to `partitions` - 1. @default by the key as Kafka's Java client does; without a key, sticky */
  readonly partitioner?: (record: StreamRecord<K, V>, partitions: number) => number;
} & ([K] extends [string | null]
    ? { readonly key?: Serializer<NonNullable<K>> }
    : { readonly key: Serializer<NonNullable<K>> });

export interface PrintOptions<K, V> extends NodeOptions {
  /** @default the name of the stream that is printed */
  readonly label?: string;
  /** @default `[label]: key, value`, as Kafka Streams prints; objects as JSON */
  readonly format?: (record: StreamRecord<K, V>) => string;
  /** Writes one line, without its end; when it gives a promise, the record counts as printed when that resolves. @default console.log */
  readonly write?: (line: string) => PromiseLike<void> | void;
}

export interface AsyncOptions extends NodeOptions {
  /** Most calls at a time. Minimum 1. @default 1 */
  readonly concurrency?: number;
  /**
   * Order of the results at the sinks: as the records stood in their partition, only among records of one key (a null key has no
   * order), or none. Where a sink has several such nodes upstream, the strictest counts. @default "partition"
   */
  readonly ordered?: Ordered;
}

export interface BatchOptions<V> {
  /** Most rows in a batch. Minimum 1. */
  readonly maxSize: number;
  /** Longest wait of an idle engine for a fuller batch, milliseconds. @default 0: none */
  readonly maxWaitMs?: number;
  /** Rows of a value: an integer, at least 1. @default what the model says; 1 for mapBatch */
  readonly rows?: (value: V) => number;
}

export interface InferOptions extends NodeOptions {
  /** As in `AsyncOptions`. @default "partition" */
  readonly ordered?: Ordered;
}

/** A key and a value, what `map` and `flatMap` give. */
export interface KeyValue<K, V> {
  readonly key: K;
  readonly value: V;
}

/** `never` for a promise: a synchronous operator must not be given an asynchronous function; `mapAsync` takes those. */
export type Sync<R> = R extends PromiseLike<unknown> ? never : R;
