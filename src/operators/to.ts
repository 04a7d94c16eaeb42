import type { DeliveryLineage, Exit, Lineage } from "../core/lineage.ts";
import { originOf, provenanceHeaders, textHeader, withHeaders } from "../core/provenance.ts";
import type { Headers, Origin, OutgoingRecord, StreamRecord } from "../core/record.ts";
import type { Serializer } from "../core/serde.ts";
import type { Envelope } from "./envelope.ts";
import type { Terminal } from "./exits.ts";
import type { NodeContext } from "./node-context.ts";
import { perRecord } from "./per-record.ts";

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
  return perRecord(context, (envelope) => {
    const { record } = envelope;
    const topic = typeof options.topic === "function" ? options.topic(record.value, record) : options.topic;
    const key = bytesOf(record.key, options.key, record.headers, topic);
    // The serializer takes V; null and undefined never reach it.
    const value = bytesOf(record.value, options.value as Serializer<NonNullable<V>>, record.headers, topic);
    if (key instanceof Promise || value instanceof Promise) whenEncoded(envelope, topic, key, value, options, context);
    else leave(envelope, topic, key, value, options, context);
  });
}

type Bytes = Uint8Array | null;

function bytesOf<T>(
  value: T,
  serializer: Serializer<NonNullable<T>>,
  headers: Headers,
  topic: string,
): Bytes | Promise<Bytes> {
  return value === null || value === undefined ? null : serializer.serialize(value, headers, topic);
}

function leave<K, V>(
  { record, lineage }: Envelope<K, V>,
  topic: string,
  key: Bytes,
  value: Bytes,
  options: ToOptions<K, V>,
  context: NodeContext,
): void {
  const { partitioner } = options;
  const partition =
    partitioner === undefined ? undefined : (partitions: number): number => partitioner(record, partitions);
  const out = new Outgoing(topic, key, value, record, lineage, partition, context.name);
  lineage.exit(new PublishExit(out, record, options, context));
}

function whenEncoded<K, V>(
  envelope: Envelope<K, V>,
  topic: string,
  key: Bytes | Promise<Bytes>,
  value: Bytes | Promise<Bytes>,
  options: ToOptions<K, V>,
  context: NodeContext,
): void {
  const { metrics, errors } = context;
  metrics.running += 1;
  Promise.all([key, value]).then(
    ([keyBytes, valueBytes]) => {
      metrics.running -= 1;
      leave(envelope, topic, keyBytes, valueBytes, options, context);
    },
    (cause: unknown) => {
      metrics.running -= 1;
      const again = async (): Promise<Bytes> =>
        bytesOf(envelope.record.value, options.value as Serializer<NonNullable<V>>, envelope.record.headers, topic);
      errors.handle(cause, envelope, () => whenEncoded(envelope, topic, key, again(), options, context));
    },
  );
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
    return withHeaders(this.base, [textHeader(provenanceHeaders.id, id)]);
  }
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
    return publish === undefined ? origin.delivery.publish([this.out]) : publish([this.out]);
  }

  failed(cause: unknown, exited: Lineage, retry: () => void): void {
    this.context.errors.handle(cause, { record: this.record, lineage: exited }, retry);
  }
}
