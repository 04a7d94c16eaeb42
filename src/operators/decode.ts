import type { OperatorFunction } from "rxjs";
import type { RawRecord } from "../core/record.ts";
import { StreamRecord } from "../core/record.ts";
import type { DeliveryLineage } from "../core/lineage.ts";
import type { Deserializer } from "../core/serde.ts";
import type { Envelope } from "./envelope.ts";
import type { NodeContext } from "./node-context.ts";
import { operate } from "./operate.ts";
import type { Out } from "./per-record.ts";

export interface DecodeOptions<K, V> {
  readonly key: Deserializer<K>;
  readonly value: Deserializer<V>;
  /** Milliseconds since the epoch. @default the broker's timestamp */
  readonly timestamp?: ((value: V, record: RawRecord) => number) | undefined;
}

/**
 * Bytes to records. An asynchronous serde is awaited in order: records leave in the order in which they came.
 *
 * A null key is the key `null`; a null value is refused unless the serde is `nullable`.
 */
export function decode<K, V>(
  options: DecodeOptions<K, V>,
  context: NodeContext,
): OperatorFunction<DeliveryLineage, Envelope<K | null, V>> {
  return operate((out) => {
    const decoder = new Decoder(options, context, out);
    return (lineage) => decoder.take(lineage);
  });
}

class Decoder<K, V> {
  private readonly options: DecodeOptions<K, V>;
  private readonly context: NodeContext;
  private readonly out: Out<Envelope<K | null, V>>;
  /** Deliveries behind one whose serde has not answered; undefined while all serdes are synchronous. */
  private behind: DeliveryLineage[] | undefined = undefined;

  constructor(options: DecodeOptions<K, V>, context: NodeContext, out: Out<Envelope<K | null, V>>) {
    this.options = options;
    this.context = context;
    this.out = out;
  }

  take(lineage: DeliveryLineage): void {
    this.context.metrics.processed += 1;
    if (this.behind === undefined) this.decode(lineage);
    else this.behind.push(lineage);
  }

  private decode(lineage: DeliveryLineage): void {
    const raw = lineage.delivery.record;
    try {
      const { headers, topic } = raw;
      const key = raw.key === null ? null : this.options.key.deserialize(raw.key, headers, topic);
      const value = this.valueOf(raw);
      if (key instanceof Promise || value instanceof Promise) void this.whenDecoded(lineage, key, value);
      else this.emit(lineage, key, value);
    } catch (cause) {
      this.fail(lineage, cause);
    }
  }

  private valueOf(raw: RawRecord): V | Promise<V> {
    if (raw.value !== null) return this.options.value.deserialize(raw.value, raw.headers, raw.topic);
    if (this.options.value.nullable === true) return null as V; // a nullable serde's V includes null
    throw new TypeError("the value is null (a tombstone), and the serde is not nullable");
  }

  private async whenDecoded(
    lineage: DeliveryLineage,
    key: (K | null) | Promise<K | null>,
    value: V | Promise<V>,
  ): Promise<void> {
    this.behind ??= [];
    this.context.metrics.running += 1;
    try {
      const [decodedKey, decodedValue] = await Promise.all([key, value]);
      this.emit(lineage, decodedKey, decodedValue);
    } catch (cause) {
      this.fail(lineage, cause);
    }
    this.context.metrics.running -= 1;
    this.resume();
  }

  /** Goes on with what waited, until the next asynchronous answer. */
  private resume(): void {
    const waiting = this.behind ?? [];
    this.behind = undefined;
    waiting.forEach((lineage) => {
      if (this.behind === undefined) this.decode(lineage);
      else this.behind.push(lineage);
    });
  }

  private emit(lineage: DeliveryLineage, key: K | null, value: V): void {
    const { record: raw, origin } = lineage.delivery;
    const timestamp = this.options.timestamp === undefined ? raw.timestamp : this.options.timestamp(value, raw);
    this.out.next({ record: new StreamRecord(key, value, raw.headers, timestamp, origin), lineage });
  }

  private fail(lineage: DeliveryLineage, cause: unknown): void {
    const { record: raw, origin } = lineage.delivery;
    const record = new StreamRecord(raw.key, raw.value, raw.headers, raw.timestamp, origin);
    this.context.errors.handle(cause, { record, lineage }, () => this.take(lineage));
  }
}
