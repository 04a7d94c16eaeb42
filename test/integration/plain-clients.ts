import { randomUUID } from "node:crypto";
import { PubSub } from "@google-cloud/pubsub";
import { Kafka, logLevel } from "kafkajs";

/** A message in words that every broker has. */
export interface Message {
  readonly key?: string;
  /** @default empty */
  readonly value?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A broker's own client, used as a stranger to the library would. */
export interface PlainClient {
  createTopic(topic: string, partitions?: number): Promise<void>;
  /** From here on the group gets what is published; Kafka's topics keep it anyway. */
  createGroup(topic: string, groupId: string): Promise<void>;
  publish(topic: string, messages: readonly Message[]): Promise<void>;
  /** What is written to a topic that exists, in a list that grows. On Pub/Sub from now on, on Kafka from its beginning. */
  collect(topic: string): Promise<readonly Required<Message>[]>;
  close(): Promise<void>;
}

/** Largest number of messages in one call of a client. */
const callSize = 500;

export function plainKafka(brokers: readonly string[]): PlainClient {
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
  const closing: (() => Promise<void>)[] = [];
  return {
    createTopic: async (topic, partitions = 1) => {
      const admin = kafka.admin();
      await admin.connect();
      await admin.createTopics({
        waitForLeaders: true,
        topics: [{ topic, numPartitions: partitions, replicationFactor: 1 }],
      });
      await admin.disconnect();
    },
    createGroup: () => Promise.resolve(),
    publish: async (topic, messages) => {
      const producer = kafka.producer();
      await producer.connect();
      for (let from = 0; from < messages.length; from += callSize) {
        const slice = messages.slice(from, from + callSize);
        await producer.send({
          topic,
          messages: slice.map(({ key = null, value = "", headers = {} }) => ({ key, value, headers: { ...headers } })),
        });
      }
      await producer.disconnect();
    },
    collect: async (topic) => {
      const collected: Required<Message>[] = [];
      const consumer = kafka.consumer({ groupId: `reader-${randomUUID()}`, maxWaitTimeInMs: 50 });
      closing.push(() => consumer.disconnect());
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({
        eachMessage: ({ message: { key, value, headers = {} } }) => {
          const texts = Object.entries(headers).map(([name, bytes]) => [name, String(bytes)] as const);
          const entry = { key: String(key ?? ""), value: String(value ?? ""), headers: Object.fromEntries(texts) };
          collected.push(entry);
          return Promise.resolve();
        },
      });
      return collected;
    },
    close: async () => {
      await Promise.all(closing.map((close) => close()));
    },
  };
}

export interface PlainPubSub extends PlainClient {
  hasSubscription(name: string): Promise<boolean>;
}

export function plainPubSub(apiEndpoint: string, projectId: string): PlainPubSub {
  const client = new PubSub({ apiEndpoint, emulatorMode: true, projectId });
  const closing: (() => Promise<void>)[] = [];
  return {
    createTopic: async (topic) => {
      await client.createTopic(topic);
    },
    createGroup: async (topic, groupId) => {
      await client.topic(topic).createSubscription(`${topic}-${groupId}`, { enableMessageOrdering: true });
    },
    hasSubscription: async (name) => {
      const [exists] = await client.subscription(name).exists();
      return exists;
    },
    publish: async (name, messages) => {
      const topic = client.topic(name, { messageOrdering: true });
      await Promise.all(
        messages.map(({ key, value = "", headers = {} }) =>
          topic.publishMessage({
            data: Buffer.from(value),
            attributes: { ...headers },
            ...(key !== undefined && { orderingKey: key }),
          }),
        ),
      );
    },
    collect: async (topic) => {
      const collected: Required<Message>[] = [];
      const [subscription] = await client.topic(topic).createSubscription(`reader-${randomUUID()}`);
      closing.push(() => subscription.close());
      subscription.on("message", (message) => {
        const { orderingKey = "", data, attributes } = message;
        collected.push({ key: orderingKey, value: data.toString(), headers: attributes });
        message.ack();
      });
      return collected;
    },
    close: async () => {
      await Promise.all(closing.map((close) => close()));
      await client.close();
    },
  };
}

/** Says on one line what is not tested; fails where `CI` demands everything. */
export function skipped(what: string): true {
  if (process.env["CI"] === "true") throw new Error(`${what} is required where CI=true`);
  process.stderr.write(`skipped: ${what}\n`);
  return true;
}
