import type { Admin, ITopicMetadata } from "kafkajs";
import { BrokerError, ConfigError, messageOf } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { topicResource } from "./client.ts";
import { rootCause } from "./kafkajs-errors.ts";
import type { KafkaSettings } from "./options.ts";
import { RECORD_OVERHEAD } from "./record-size.ts";

/** Age at which what is known of the topics is asked for again, milliseconds. */
const MAX_AGE_MS = 60_000;

interface Topic {
  readonly partitions: number;
  readonly maxMessageBytes: number;
}

/** What is known of the topics of one session: their partitions, and the largest batch that each takes. */
export class TopicCatalog {
  /** Largest record written: key, value and headers, bytes. */
  readonly maxRecordBytes: number;
  private readonly admin: Admin;
  private readonly settings: KafkaSettings;
  private readonly logger: Logger;
  private readonly topics = new Map<string, Topic>();
  private readonly lookUps = new Map<string, Promise<boolean>>();
  private readAt = performance.now();
  private refreshing = false;

  /** @param admin connected before the first call, and by its owner closed */
  constructor(admin: Admin, settings: KafkaSettings, logger: Logger) {
    this.admin = admin;
    this.settings = settings;
    this.logger = logger;
    this.maxRecordBytes = settings.maxRecordBytes;
  }

  /** Makes sure that topics exist: creates missing ones where the settings say how. Errors: `ERR_CONFIG` names those that are missing; `ERR_BROKER`. */
  async ensure(topics: readonly string[]): Promise<void> {
    if (topics.length === 0) return;
    const missing = await this.missing(topics);
    if (missing.length === 0) return this.load(topics);
    const { createTopics } = this.settings;
    if (createTopics === undefined) throw new ConfigError(missingMessage(missing, this.settings));
    await this.create(missing, createTopics.partitions, createTopics.replicationFactor);
    await this.load(topics);
  }

  /** Undefined for a topic that was neither ensured nor found by `lookUp`. */
  partitionsOf(topic: string): number | undefined {
    return this.topics.get(topic)?.partitions;
  }

  /** Largest batch of records that the topic takes, bytes; when the topic may not be described, what the largest record needs. */
  maxMessageBytes(topic: string): number {
    return this.topics.get(topic)?.maxMessageBytes ?? this.maxRecordBytes + RECORD_OVERHEAD;
  }

  /** Asks for a topic that isn't known yet; false when it does not exist. Errors: those of kafkajs. */
  lookUp(topic: string): Promise<boolean> {
    if (this.topics.has(topic)) return Promise.resolve(true);
    let running = this.lookUps.get(topic);
    if (running === undefined) {
      running = this.find(topic).finally(() => this.lookUps.delete(topic));
      this.lookUps.set(topic, running);
    }
    return running;
  }

  /** Asks again for all that is known. Errors: those of kafkajs. */
  refresh(): Promise<void> {
    return this.load([...this.topics.keys()]);
  }

  /** Asks again in the background, when what is known is older than a minute. */
  refreshIfOld(): void {
    if (this.refreshing || performance.now() - this.readAt < MAX_AGE_MS) return;
    this.refreshing = true;
    this.refresh()
      .catch((cause: unknown) => this.logger.debug({ err: cause }, "kafka topics could not be described again"))
      .finally(() => {
        this.refreshing = false;
        this.readAt = performance.now();
      });
  }

  private async find(topic: string): Promise<boolean> {
    if ((await this.missing([topic])).length > 0) return false;
    await this.load([topic]);
    return true;
  }

  private async missing(topics: readonly string[]): Promise<string[]> {
    const existing = new Set(await this.admin.listTopics());
    return [...new Set(topics)].filter((topic) => !existing.has(topic));
  }

  private async create(topics: readonly string[], partitions: number, replicationFactor: number): Promise<void> {
    this.logger.info({ topics, partitions, replicationFactor }, "kafka topics are created");
    try {
      await this.admin.createTopics({
        waitForLeaders: true,
        topics: topics.map((topic) => ({ topic, numPartitions: partitions, replicationFactor })),
      });
    } catch (cause) {
      throw new BrokerError(`kafka: can't create ${topics.join(", ")}: ${messageOf(firstOf(cause))}`, "kafka", {
        cause,
      });
    }
  }

  private async load(topics: readonly string[]): Promise<void> {
    if (topics.length === 0) return;
    const names = [...new Set(topics)];
    const [metadata, sizes] = await Promise.all([this.describe(names), this.batchSizes(names)]);
    for (const { name, partitions } of metadata) {
      const maxMessageBytes = sizes.get(name) ?? this.maxRecordBytes + RECORD_OVERHEAD;
      this.topics.set(name, { partitions: partitions.length, maxMessageBytes });
    }
  }

  private async describe(topics: string[]): Promise<readonly ITopicMetadata[]> {
    const metadata = await this.admin.fetchTopicMetadata({ topics });
    return metadata.topics;
  }

  private async batchSizes(topics: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const sizes = new Map<string, number>();
    const type = topicResource(this.logger);
    try {
      const { resources } = await this.admin.describeConfigs({
        includeSynonyms: false,
        resources: topics.map((name) => ({ type, name, configNames: ["max.message.bytes"] })),
      });
      for (const { resourceName, configEntries } of resources) {
        const size = Number(configEntries.find(({ configName }) => configName === "max.message.bytes")?.configValue);
        if (size > 0) sizes.set(resourceName, size);
      }
    } catch (cause) {
      const { message } = rootCause(cause);
      this.logger.debug({ topics, error: message }, "kafka topics can't be described: maxRecordBytes is taken for all");
    }
    return sizes;
  }
}

function missingMessage(missing: readonly string[], { brokers }: KafkaSettings): string {
  const commands = missing.map(
    (topic) =>
      `kafka-topics.sh --bootstrap-server ${brokers[0] ?? "localhost:9092"} --create --topic ${topic} --partitions 1 --replication-factor 1`,
  );
  const noun = missing.length === 1 ? "topic" : "topics";
  return [
    `kafka: ${noun} ${missing.join(", ")} not found. Start with --create-topics (createTopics: { partitions, replicationFactor }), or create with:`,
    ...commands,
  ].join("\n  ");
}

/** kafkajs rejects with one error for all topics, which holds one per topic. */
function firstOf(cause: unknown): unknown {
  if (typeof cause !== "object" || cause === null || !("errors" in cause) || !Array.isArray(cause.errors)) return cause;
  // Array.isArray makes `any` of what it holds.
  const errors = cause.errors as readonly unknown[];
  return errors[0] ?? cause;
}
