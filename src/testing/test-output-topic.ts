import { DecodeError, messageOf } from "../core/errors.ts";
import type { Headers, RawRecord } from "../core/record.ts";
import type { Deserializer } from "../core/serde.ts";

/** How bytes become a test's values. */
export interface OutputSerdes<K, V> {
  /** @default UTF-8 text */
  readonly key?: Deserializer<K>;
  readonly value: Deserializer<V>;
}

/** A record that the app wrote, decoded. */
export interface TestRecord<K, V> {
  readonly key: K | null;
  readonly value: V;
  readonly headers: Headers;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
  readonly partition: number;
}

/**
 * A topic that a test reads, from its beginning, each record once. Made by `TopologyTestDriver.createOutputTopic`.
 *
 * Records come partition by partition, in the order of each. Every call first waits until each delivery is settled or waits for a timer.
 * Errors: why the app is in `ERROR`; `ERR_DECODE` for bytes that the serde refuses.
 */
export class TestOutputTopic<K, V> {
  readonly topic: string;
  private readonly key: Deserializer<K>;
  private readonly value: Deserializer<V>;
  private readonly read: () => Promise<readonly RawRecord[]>;
  /** Records taken, by partition. */
  private readonly taken = new Map<number, number>();

  /** @param read all records of the topic, by partition */
  constructor(topic: string, serdes: Required<OutputSerdes<K, V>>, read: () => Promise<readonly RawRecord[]>) {
    this.topic = topic;
    this.key = serdes.key;
    this.value = serdes.value;
    this.read = read;
  }

  /** The next record; undefined when there is none. */
  async readRecord(): Promise<TestRecord<K, V> | undefined> {
    const [raw] = await this.unread();
    return raw === undefined ? undefined : this.take(raw);
  }

  /** The value of the next record; undefined when there is none. */
  async readValue(): Promise<V | undefined> {
    return (await this.readRecord())?.value;
  }

  /** All records that have not been read. */
  async readRecords(): Promise<TestRecord<K, V>[]> {
    return Promise.all((await this.unread()).map((raw) => this.take(raw)));
  }

  /** True when all records have been read. */
  async isEmpty(): Promise<boolean> {
    return (await this.unread()).length === 0;
  }

  private async unread(): Promise<readonly RawRecord[]> {
    const passed = new Map<number, number>();
    return (await this.read()).filter(({ partition = 0 }) => {
      const index = passed.get(partition) ?? 0;
      passed.set(partition, index + 1);
      return index >= (this.taken.get(partition) ?? 0);
    });
  }

  private async take(raw: RawRecord): Promise<TestRecord<K, V>> {
    const { key, value, headers, timestamp, partition = 0, topic } = raw;
    const offset = this.taken.get(partition) ?? 0;
    this.taken.set(partition, offset + 1);
    try {
      return {
        key: key === null ? null : await this.key.deserialize(key, headers, topic),
        value: value === null ? this.tombstone() : await this.value.deserialize(value, headers, topic),
        headers,
        timestamp,
        partition,
      };
    } catch (cause) {
      throw new DecodeError(messageOf(cause), `memory:${topic}/${partition}@${offset}`, { cause });
    }
  }

  private tombstone(): V {
    if (this.value.nullable === true) return null as V; // a nullable serde's V includes null
    throw new TypeError("the value is null (a tombstone), and the serde is not nullable");
  }
}
