import { randomUUID } from "node:crypto";
import { Kafka, logLevel } from "kafkajs";
import { kafkaBroker } from "millrace/kafka";
import { brokerHarness } from "millrace/testing";
import { afterAll, beforeAll, describe } from "vitest";
import { kafkaBrokers } from "../brokers/addresses.ts";
import { describeBroker } from "./broker-contract.ts";

const brokers = kafkaBrokers() ?? [];

describe.skipIf(brokers.length === 0)("with a real Kafka", () => {
  const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin();
  beforeAll(() => admin.connect());
  afterAll(() => admin.disconnect());

  describeBroker("kafka", async () =>
    brokerHarness({
      broker: kafkaBroker({ brokers, maxRecordBytes: 1_000, rebalanceDrainMs: 200, maxWaitMs: 50 }),
      groupId: `group-${randomUUID()}`,
      quietMs: 300,
      deadlineMs: 20_000,
      createTopic: async (partitions) => {
        const topic = `topic-${randomUUID()}`;
        await admin.createTopics({
          waitForLeaders: true,
          topics: [{ topic, numPartitions: partitions, replicationFactor: 1 }],
        });
        return topic;
      },
    }),
  );
});
