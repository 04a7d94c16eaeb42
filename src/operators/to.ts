import type { DeliveryLineage, Exit, Lineage } from "../core/lineage.ts";
import { originOf, provenanceHeaders, textHeader, withHeaders } from "../core/provenance.ts";
import type { Header, Headers, Origin, OutgoingRecord, StreamRecord } from "../core/record.ts";
import type { Serializer } from "../core/serde.ts";
import type { Envelope } from "./envelope.ts";
import type { Terminal } from "./exits.ts";
import type { NodeContext } from "./node-context.ts";
import { later } from "./later.ts";
import { operate } from "./operate.ts";

export interface ToOptions<K, V> {
  readonly topic: string | ((value: V, record: StreamRecord<K, V>) => string);
  readonly key: Serializer<NonNullable<K>>;
  readonly value: Serializer<V>;
  readonly partitioner?: ((record: StreamRecord<K, V>, partitions: number) => number) | undefined;
  /** Writes through the delivery when absent; set when the sink is on another broker than the source. */
  readonly publish?: ((outs: readonly OutgoingRecord[]) => Promise<void>) | undefined;
}

/**
 * Encodes each record and writes it when its turn in the line has come.
 *
 * Headers, key and timestamp travel along; `millrace-id` is added. An asynchronous serializer keeps the order.
 */
export function to<K, V>(options: ToOptions<K, V>, context: NodeContext): Terminal<K, V> {
  return operate(() => {
    const encoder = new Encoder(options, context);
    return (envelope) => encoder.take(envelope);
  });
}

type Bytes = Uint8Array | null;

class Encoder<K, V> {
  private readonly options: ToOptions<K, V>;
  private readonly context: NodeContext;

  constructor(options: ToOptions<K, V>, context: NodeContext) {
    this.options = options;
    this.context = context;
  }

  take(envelope: Envelope<K, V>): void {
    this.context.metrics.processed += 1;
    this.attempt(envelope);
  }

  private attempt(envelope: Envelope<K, V>): void {
    if (envelope.lineage.root.over) return envelope.lineage.done();
    try {
      this.encode(envelope);
    } catch (cause) {
      this.context.errors.handle(cause, envelope, () => this.attempt(envelope));
    }
  }

  private encode(envelope: Envelope<K, V>): void {
    const { record } = envelope;
    const { topic: choice, key: keySerializer, value: valueSerializer } = this.options;
    const topic = typeof choice === "function" ? choice(record.value, record) : choice;
    const key = bytesOf(record.key, keySerializer, record.headers, topic);
    // The serializer takes V; null and undefined never reach it.
    const encodeValue = (): Bytes | Promise<Bytes> =>
      bytesOf(record.value, valueSerializer as Serializer<NonNullable<V>>, record.headers, topic);
    if (key instanceof Promise) return this.whenEncoded(envelope, topic, key, later(encodeValue));
    const value = encodeValue();
    if (value instanceof Promise) this.whenEncoded(envelope, topic, key, value);
    else this.leave(envelope, topic, key, value);
  }

  private whenEncoded(
    envelope: Envelope<K, V>,
    topic: string,
    key: Bytes | Promise<Bytes>,
    value: Promise<Bytes>,
  ): void {
    const { metrics, errors } = this.context;
    metrics.running += 1;
    Promise.all([key, value]).then(
      ([keyBytes, valueBytes]) => {
        metrics.running -= 1;
        this.leave(envelope, topic, keyBytes, valueBytes);
      },
      (cause: unknown) => {
        metrics.running -= 1;
        errors.handle(cause, envelope, () => this.attempt(envelope));
      },
    );
  }

  private leave({ record, lineage }: Envelope<K, V>, topic: string, key: Bytes, value: Bytes): void {
    const { partitioner } = this.options;
    const partition =
      partitioner === undefined ? undefined : (partitions: number): number => partitioner(record, partitions);
    const out = new Outgoing(topic, key, value, record, lineage, partition, this.context.name);
    lineage.exit(new PublishExit(out, record, this.options, this.context));
  }
}

function bytesOf<T>(
  value: T,
  serializer: Serializer<NonNullable<T>>,
  headers: Headers,
  topic: string,
): Bytes | Promise<Bytes> {
  return value === null || value === undefined ? null : serializer.serialize(value, headers, topic);
}

/** The record on the wire. It keeps nothing of its source but the position, and makes its headers when a driver asks. */
class Outgoing<K, V> implements OutgoingRecord {
  readonly topic: string;
  readonly key: Bytes;
  readonly value: Bytes;
  readonly timestamp: number;
  readonly partition: ((partitions: number) => number) | undefined;
  private readonly base: Headers;
  private readonly origin: Origin;
  /** Path of the parent, and the index in it: most ids are never read, so the text is made when one is. */
  private readonly parentPath: string | undefined;
  private readonly index: number;
  private readonly sink: string;

  constructor(
    topic: string,
    key: Bytes,
    value: Bytes,
    record: StreamRecord<K, V>,
    lineage: Lineage,
    partition: ((partitions: number) => number) | undefined,
    sink: string,
  ) {
    this.topic = topic;
    this.key = key;
    this.value = value;
    this.timestamp = record.timestamp;
    this.partition = partition;
    this.base = record.headers;
    this.origin = lineage.root.delivery.origin;
    this.parentPath = lineage.parent?.path;
    this.index = lineage.index;
    this.sink = sink;
  }

  get headers(): Headers {
    const path = this.parentPath === undefined ? "" : `${this.parentPath}/${this.index}`;
    const id = `${originOf(this.base, this.origin.position)}${path}#${this.sink}`;
    // A replayed dead letter's origin is in the id now. Going on, it would give all results of one request the same id at the next sink.
    const base = this.base.some(isOrigin) ? this.base.filter((header) => !isOrigin(header)) : this.base;
    return withHeaders(base, [textHeader(provenanceHeaders.id, id)]);
  }
}

function isOrigin([name]: Header): boolean {
  return name === provenanceHeaders.origin;
}

class PublishExit<K, V> implements Exit {
  private readonly out: OutgoingRecord;
  private readonly record: StreamRecord<K, V>;
  private readonly options: ToOptions<K, V>;
  private readonly context: NodeContext;

  constructor(out: OutgoingRecord, record: StreamRecord<K, V>, options: ToOptions<K, V>, context: NodeContext) {
    this.out = out;
    this.record = record;
    this.options = options;
    this.context = context;
  }

  leave(origin: DeliveryLineage): Promise<void> | undefined {
    const { publish } = this.options;
    const { endToEndMs } = this.context.metrics;
    if (endToEndMs !== undefined) endToEndMs.observe(this.context.scheduler.now() - this.record.timestamp);
    return publish === undefined ? origin.delivery.publish([this.out]) : publish([this.out]);
  }

  failed(cause: unknown, exited: Lineage, retry: () => void): void {
    this.context.errors.handle(cause, { record: this.record, lineage: exited }, retry);
  }
}
