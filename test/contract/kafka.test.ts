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

  // A member that vanishes while it joins holds up its group for a session: the deadline must be longer.
  const sessionTimeoutMs = 6_000;
  describeBroker("kafka", async (logger) =>
    brokerHarness({
      broker: kafkaBroker({ brokers, sessionTimeoutMs, maxRecordBytes: 1_000, rebalanceDrainMs: 200, maxWaitMs: 50 }),
      logger,
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
