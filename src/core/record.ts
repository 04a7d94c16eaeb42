/** One header: a name, which may come more than once, and bytes. */
export type Header = readonly [name: string, value: Uint8Array];

/** Headers in the order in which they were written. */
export type Headers = readonly Header[];

/** Where a record came from, for people and for de-duplication: `kafka:INFERENCE/0@42`, `memory:INFERENCE/0@7`. */
export type Position = string;

/** A record as the broker has it: bytes. */
export interface RawRecord {
  readonly topic: string;
  /** The partition it was read from; absent where the broker has none. */
  readonly partition?: number;
  readonly key: Uint8Array | null;
  /** `null` is a tombstone. */
  readonly value: Uint8Array | null;
  readonly headers: Headers;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
}

/**
 * A record to be written.
 *
 * `partition` is a number, or a function of the topic's number of partitions. Without it the driver chooses: by the key as Kafka's Java client does,
 * else sticky. A driver reads `headers` at most once: they may be made on demand.
 */
export interface OutgoingRecord {
  readonly topic: string;
  readonly partition?: number | ((partitions: number) => number) | undefined;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: Headers;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
}

/** What every record made from one delivery shares. */
export interface Origin {
  readonly topic: string;
  readonly position: Position;
}

/**
 * A decoded record on its way through a topology. Immutable: `with…` gives a changed copy.
 *
 * Headers, timestamp and origin travel along unless a processor changes them.
 */
export class StreamRecord<K, V> {
  readonly key: K;
  readonly value: V;
  readonly headers: Headers;
  /** Milliseconds since the epoch: the broker's, or what the source's timestamp extractor gave. */
  readonly timestamp: number;
  private readonly origin: Origin;

  constructor(key: K, value: V, headers: Headers, timestamp: number, origin: Origin) {
    this.key = key;
    this.value = value;
    this.headers = headers;
    this.timestamp = timestamp;
    this.origin = origin;
  }

  /** Position of the delivery that this record descends from. */
  get position(): Position {
    return this.origin.position;
  }

  /** Topic of the delivery that this record descends from. */
  get topic(): string {
    return this.origin.topic;
  }

  withValue<R>(value: R): StreamRecord<K, R> {
    return new StreamRecord(this.key, value, this.headers, this.timestamp, this.origin);
  }

  withKey<R>(key: R): StreamRecord<R, V> {
    return new StreamRecord(key, this.value, this.headers, this.timestamp, this.origin);
  }

  withKeyValue<RK, RV>(key: RK, value: RV): StreamRecord<RK, RV> {
    return new StreamRecord(key, value, this.headers, this.timestamp, this.origin);
  }

  withHeaders(headers: Headers): StreamRecord<K, V> {
    return new StreamRecord(this.key, this.value, headers, this.timestamp, this.origin);
  }

  /** @param timestamp milliseconds since the epoch */
  withTimestamp(timestamp: number): StreamRecord<K, V> {
    return new StreamRecord(this.key, this.value, this.headers, timestamp, this.origin);
  }
}
