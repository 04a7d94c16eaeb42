import { randomUUID } from "node:crypto";
import { PubSub } from "@google-cloud/pubsub";
import { pubsubBroker } from "millrace/pubsub";
import { brokerHarness, type BrokerHarness } from "millrace/testing";
import { describe } from "vitest";
import { pubsubEmulator } from "../brokers/addresses.ts";
import { describeBroker } from "./broker-contract.ts";

const emulatorHost = pubsubEmulator() ?? "";

describe.skipIf(emulatorHost === "")("with the Pub/Sub emulator", () => {
  describeBroker("pubsub", async () => harness(emulatorHost, false));
  describeBroker("pubsub with exactly-once delivery", async () => harness(emulatorHost, true));
});

function harness(host: string, exactlyOnceDelivery: boolean): BrokerHarness {
  const projectId = `contract-${randomUUID()}`;
  const groupId = "group";
  const client = new PubSub({ apiEndpoint: host, emulatorMode: true, projectId, universeDomain: "googleapis.com" });
  return brokerHarness({
    broker: pubsubBroker({ projectId, emulatorHost: host, maxRecordBytes: 1_000_000, exactlyOnceDelivery }),
    groupId,
    lacks: ["repeatedHeaders"],
    quietMs: 300,
    createTopic: async () => {
      const name = `topic-${randomUUID()}`;
      const [topic] = await client.createTopic(name);
      await topic.createSubscription(`${name}-${groupId}`, {
        enableMessageOrdering: true,
        enableExactlyOnceDelivery: exactlyOnceDelivery,
      });
      return name;
    },
    close: () => client.close(),
  });
}
