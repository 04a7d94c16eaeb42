import type { Headers, OutgoingRecord } from "../core/record.ts";
import type { Serializer } from "../core/serde.ts";

/** How a test's values become bytes. */
export interface InputSerdes<K, V> {
  /** @default UTF-8 text */
  readonly key?: Serializer<K>;
  readonly value: Serializer<V>;
}

/** What a record has beside key and value. */
export interface PipeOptions {
  /** @default none */
  readonly headers?: Headers;
  /** Milliseconds since the epoch. @default the time on the driver's clock */
  readonly timestamp?: number;
  /** 0 to the topic's partitions - 1. @default by the key as Kafka's Java client does; without a key, in turns */
  readonly partition?: number;
}

/** A record to pipe in. */
export interface TestInput<K, V> extends PipeOptions {
  /** @default null */
  readonly key?: K | null;
  /** `null` is a tombstone. */
  readonly value: V | null;
}

/** A topic that a test writes. Made by `TopologyTestDriver.createInputTopic`. */
export class TestInputTopic<K, V> {
  readonly topic: string;
  private readonly key: Serializer<K>;
  private readonly value: Serializer<V>;
  private readonly now: () => number;
  private readonly write: (outs: readonly OutgoingRecord[]) => Promise<void>;

  constructor(
    topic: string,
    serdes: Required<InputSerdes<K, V>>,
    now: () => number,
    write: (outs: readonly OutgoingRecord[]) => Promise<void>,
  ) {
    this.topic = topic;
    this.key = serdes.key;
    this.value = serdes.value;
    this.now = now;
    this.write = write;
  }

  /**
   * Writes one record: a value without a key, or a key and a value. Starts the app if it has not run yet.
   *
   * Resolves when every delivery is settled or waits for a timer. Errors: why the app is in `ERROR`.
   */
  pipeInput(
    ...input: readonly [value: V | null] | readonly [key: K | null, value: V | null, options?: PipeOptions]
  ): Promise<void> {
    if (input.length === 1) return this.pipeRecords([{ value: input[0] }]);
    const [key, value, options] = input;
    return this.pipeRecords([{ ...options, key, value }]);
  }

  /** Writes several records, in this order, before the app sees the first: they meet in one batch. */
  async pipeRecords(inputs: readonly TestInput<K, V>[]): Promise<void> {
    const timestamp = this.now();
    await this.write(await Promise.all(inputs.map((input) => this.encode(input, timestamp))));
  }

  private async encode(input: TestInput<K, V>, now: number): Promise<OutgoingRecord> {
    const { topic } = this;
    const { key = null, value, headers = [], timestamp = now, partition } = input;
    return {
      topic,
      key: key === null ? null : await this.key.serialize(key, headers, topic),
      value: value === null ? null : await this.value.serialize(value, headers, topic),
      headers,
      timestamp,
      partition,
    };
  }
}
