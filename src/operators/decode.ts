import type { OperatorFunction } from "rxjs";
import type { RawRecord } from "../core/record.ts";
import { StreamRecord } from "../core/record.ts";
import type { DeliveryLineage } from "../core/lineage.ts";
import type { Deserializer } from "../core/serde.ts";
import type { Envelope } from "./envelope.ts";
import { later } from "./later.ts";
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
  /** Deliveries behind one whose serde has not answered. */
  private readonly behind: DeliveryLineage[] = [];
  /** True while an answer is due, or what was behind it is worked off. */
  private blocked = false;

  constructor(options: DecodeOptions<K, V>, context: NodeContext, out: Out<Envelope<K | null, V>>) {
    this.options = options;
    this.context = context;
    this.out = out;
  }

  take(lineage: DeliveryLineage): void {
    this.context.metrics.processed += 1;
    this.enqueue(lineage);
  }

  private enqueue(lineage: DeliveryLineage): void {
    if (this.blocked) this.behind.push(lineage);
    else if (this.decode(lineage)) this.blocked = true;
  }

  /** True when the answer comes later. */
  private decode(lineage: DeliveryLineage): boolean {
    if (lineage.over) {
      lineage.done();
      return false;
    }
    const { record: raw } = lineage.delivery;
    try {
      const key = raw.key === null ? null : this.options.key.deserialize(raw.key, raw.headers, raw.topic);
      if (key instanceof Promise)
        return this.whenDecoded(
          lineage,
          key,
          later(() => this.valueOf(raw)),
        );
      const value = this.valueOf(raw);
      if (value instanceof Promise) return this.whenDecoded(lineage, key, value);
      this.emit(lineage, key, value);
    } catch (cause) {
      this.fail(lineage, cause);
    }
    return false;
  }

  private valueOf(raw: RawRecord): V | Promise<V> {
    if (raw.value !== null) return this.options.value.deserialize(raw.value, raw.headers, raw.topic);
    if (this.options.value.nullable === true) return null as V; // a nullable serde's V includes null
    throw new TypeError("the value is null (a tombstone), and the serde is not nullable");
  }

  private whenDecoded(lineage: DeliveryLineage, key: K | null | Promise<K | null>, value: Promise<V>): true {
    this.context.metrics.running += 1;
    const answered = (act: () => void): void => {
      this.context.metrics.running -= 1;
      act();
      this.resume();
    };
    Promise.all([key, value]).then(
      ([decodedKey, decodedValue]) => answered(() => this.tryEmit(lineage, decodedKey, decodedValue)),
      (cause: unknown) => answered(() => this.fail(lineage, cause)),
    );
    return true;
  }

  /** Goes on with what waited, until the next asynchronous answer. What comes meanwhile waits behind it. */
  private resume(): void {
    for (let lineage = this.behind.shift(); lineage !== undefined; lineage = this.behind.shift()) {
      if (this.decode(lineage)) return;
    }
    this.blocked = false;
  }

  private tryEmit(lineage: DeliveryLineage, key: K | null, value: V): void {
    try {
      this.emit(lineage, key, value);
    } catch (cause) {
      this.fail(lineage, cause);
    }
  }

  private emit(lineage: DeliveryLineage, key: K | null, value: V): void {
    const { record: raw, origin } = lineage.delivery;
    const timestamp = this.options.timestamp === undefined ? raw.timestamp : this.options.timestamp(value, raw);
    this.out.next({ record: new StreamRecord(key, value, raw.headers, timestamp, origin), lineage });
  }

  private fail(lineage: DeliveryLineage, cause: unknown): void {
    const { record: raw, origin } = lineage.delivery;
    const record = new StreamRecord(raw.key, raw.value, raw.headers, raw.timestamp, origin);
    this.context.errors.handle(cause, { record, lineage }, () => this.enqueue(lineage));
  }
}
