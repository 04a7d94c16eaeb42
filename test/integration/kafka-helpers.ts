import { randomUUID } from "node:crypto";
import type { Admin, Kafka } from "kafkajs";
import { kafkaClient } from "../../src/brokers/kafka/client.ts";
import { headersOf } from "../../src/brokers/kafka/headers.ts";
import { kafkaSettings } from "../../src/brokers/kafka/options.ts";
import type { KafkaOptions, KafkaSettings } from "../../src/brokers/kafka/options.ts";
import { silentLogger } from "../../src/core/logger.ts";
import type { Headers } from "../../src/core/record.ts";
import { kafkaBrokers } from "../brokers/addresses.ts";

export const brokers = kafkaBrokers() ?? [];

export const settingsOf = (options: Partial<KafkaOptions> = {}): KafkaSettings =>
  kafkaSettings({ brokers, ...options });

export const clientFor = (use: Parameters<typeof kafkaClient>[2]): Kafka =>
  kafkaClient(settingsOf(), silentLogger, use);

/** A new topic. */
export async function createTopic(
  admin: Admin,
  numPartitions: number,
  config: Readonly<Record<string, string>> = {},
): Promise<string> {
  const topic = `t-${randomUUID()}`;
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
  await admin.createTopics({
    waitForLeaders: true,
    topics: [{ topic, numPartitions, replicationFactor: 1, configEntries }],
  });
  return topic;
}

export interface Written {
  readonly partition: number;
  readonly offset: string;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: Headers;
}

/** What a `read_committed` reader gets of a topic, up to its end. */
export async function readAll(admin: Admin, topic: string): Promise<Written[]> {
  const ends = await admin.fetchTopicOffsets(topic);
  const missing = new Set(ends.filter(({ high }) => high !== "0").map(({ partition }) => partition));
  const written: Written[] = [];
  if (missing.size === 0) return written;
  const consumer = clientFor("consumer").consumer({ groupId: `g-${randomUUID()}`, maxWaitTimeInMs: 50 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    const ended = (partition: number, next: bigint): void => {
      if (next >= BigInt(ends.find((end) => end.partition === partition)?.high ?? "0")) missing.delete(partition);
      if (missing.size === 0) resolve();
    };
    // Also of batches of which nothing is left but markers.
    consumer.on(consumer.events.START_BATCH_PROCESS, ({ payload }) =>
      ended(payload.partition, BigInt(payload.lastOffset) + 1n),
    );
    const eachBatch: Parameters<typeof consumer.run>[0] = {
      eachBatch: ({ batch }) => {
        for (const message of batch.messages) {
          written.push({
            partition: batch.partition,
            offset: message.offset,
            key: message.key?.toString() ?? null,
            value: message.value?.toString() ?? null,
            headers: headersOf(message),
          });
        }
        ended(batch.partition, BigInt(batch.lastOffset()) + 1n);
        return Promise.resolve();
      },
    };
    consumer.run(eachBatch).catch(reject);
  });
  await consumer.disconnect();
  return written;
}
