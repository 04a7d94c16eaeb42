import type { Broker, BrokerCapabilities, BrokerSession, SessionOptions } from "../../core/broker.ts";
import { ConfigError } from "../../core/errors.ts";
import type { OutgoingRecord, RawRecord } from "../../core/record.ts";
import { Faults } from "./faults.ts";
import { ConsumerGroup } from "./group.ts";
import { MemorySession } from "./session.ts";
import { Topics } from "./topics.ts";

export interface MemoryBrokerOptions {
  /** Partitions of a topic that is created by being used. Minimum 1. @default 1 */
  readonly partitions?: number;
  /** Topics that are used are created; otherwise a missing one is a `ConfigError`. @default true */
  readonly createTopics?: boolean;
  /** Records kept per partition although every group has read them. Minimum 0. @default 100_000 */
  readonly retention?: number;
  /** Largest record, key and value together, bytes. Minimum 1. @default 1_048_576, as Kafka's `max.message.bytes` */
  readonly maxRecordBytes?: number;
}

/**
 * A broker inside the process: topics with partitions, consumer groups with committed offsets, redelivery of what was not acked, transactions.
 *
 * The reference for every other driver, the embedded default, and what `TopologyTestDriver` runs on. It lives as long as the value; sessions
 * come and go. Nothing is written to disk.
 */
export class MemoryBroker implements Broker {
  readonly name = "memory";
  readonly capabilities: BrokerCapabilities;
  readonly defaultMaxInFlight = 4096;
  /** For tests: what can go wrong, by name. */
  readonly faults: Faults;
  private readonly topics: Topics;

  constructor(options: MemoryBrokerOptions = {}) {
    const { partitions = 1, createTopics = true, retention = 100_000, maxRecordBytes = 1_048_576 } = options;
    for (const [name, value, minimum] of [
      ["partitions", partitions, 1],
      ["retention", retention, 0],
      ["maxRecordBytes", maxRecordBytes, 1],
    ] as const) {
      if (!Number.isSafeInteger(value) || value < minimum) {
        throw new ConfigError(`memory: ${name} must be a whole number of at least ${minimum}, got ${String(value)}`);
      }
    }
    this.topics = new Topics({ partitions, createTopics, retention, maxRecordBytes });
    this.faults = new Faults(this.topics);
    this.capabilities = { exactlyOnce: true, partitions: true, keyOrder: true, replay: true, maxRecordBytes };
  }

  /** Names of the topics that exist. */
  get topicNames(): readonly string[] {
    return this.topics.names;
  }

  /** Does nothing when it exists. @param partitions @default the broker's */
  createTopic(topic: string, partitions?: number): void {
    this.topics.create(topic, partitions);
  }

  /** Writes records without a session. Errors: `ERR_PUBLISH`. */
  publish(outs: readonly OutgoingRecord[]): void {
    for (const out of outs) this.topics.check(out, { topic: out.topic, position: "memory" });
    for (const out of outs) this.topics.append(out);
  }

  /** The records that a topic still has: by partition, oldest first within each. */
  records(topic: string): readonly RawRecord[] {
    return this.topics
      .partitionsOf(topic)
      .flatMap((log) =>
        Array.from({ length: log.end - log.start }, (_, index) => log.at(log.start + index)).filter(
          (record) => record !== undefined,
        ),
      );
  }

  /** Committed offset of a group in a partition; undefined when it never read it. */
  committed(groupId: string, topic: string, partition: number): number | undefined {
    const log = this.topics.partitionsOf(topic)[partition];
    return log === undefined ? undefined : this.topics.groups.get(groupId)?.committed(log);
  }

  async open(options: SessionOptions): Promise<BrokerSession> {
    this.topics.ensure(options.topics);
    let group = this.topics.groups.get(options.groupId);
    if (group === undefined) {
      group = new ConsumerGroup(options.groupId);
      this.topics.groups.set(options.groupId, group);
    }
    const session = new MemorySession(this.topics, group, options, this.faults);
    this.faults.watch(session);
    return session;
  }
}

/** A broker inside the process. */
export function memoryBroker(options?: MemoryBrokerOptions): MemoryBroker {
  return new MemoryBroker(options);
}
