import { env } from "node:process";
import type { KafkaOptions } from "../brokers/kafka/index.ts";
import type { PubSubOptions } from "../brokers/pubsub/index.ts";
import type { Broker } from "../core/broker.ts";
import { ConfigError } from "../core/errors.ts";
import type { OutgoingRecord } from "../core/record.ts";

export type BrokerName = "memory" | "kafka" | "pubsub";

export const brokerNames: readonly BrokerName[] = ["memory", "kafka", "pubsub"];

export interface BrokerFlags {
  readonly broker: BrokerName;
  readonly kafkaBrokers?: string;
  readonly createTopics: boolean;
  readonly partitions?: number;
  readonly replicationFactor?: number;
}

export interface ChosenBroker {
  readonly broker: Broker;
  /** Writes to it from this process; absent where others do. */
  readonly publish?: (record: OutgoingRecord) => void;
}

/**
 * Makes the broker that a name stands for; nothing of the others is loaded.
 *
 * Errors: `ERR_CONFIG` for an address that is missing, or flags that the broker has no use for.
 *
 * @param pubsubTopics name of a topic at Pub/Sub, by the name that the topology uses
 */
export async function chooseBroker(
  flags: BrokerFlags,
  pubsubTopics: Readonly<Record<string, string>>,
): Promise<ChosenBroker> {
  checkTopicFlags(flags);
  switch (flags.broker) {
    case "memory": {
      const { memoryBroker } = await import("../brokers/memory/index.ts");
      const broker = memoryBroker();
      return { broker, publish: (record) => broker.publish([record]) };
    }
    case "kafka": {
      const options = kafkaOptions(flags);
      const { kafkaBroker } = await import("../brokers/kafka/index.ts");
      return { broker: kafkaBroker(options) };
    }
    case "pubsub": {
      const { pubsubBroker } = await import("../brokers/pubsub/index.ts");
      return { broker: pubsubBroker(pubsubOptions(flags, pubsubTopics)) };
    }
  }
}

/** The brokers whose address is in the environment. Errors: `ERR_CONFIG` when there is none. */
export function brokersOfEnvironment(): readonly BrokerName[] {
  const names: BrokerName[] = [];
  if (env["KAFKA_BROKERS"]) names.push("kafka");
  if (env["PUBSUB_EMULATOR_HOST"] || env["PUBSUB_PROJECT_ID"] || env["GOOGLE_APPLICATION_CREDENTIALS"])
    names.push("pubsub");
  if (names.length > 0) return names;
  throw new ConfigError(
    "no broker: give --broker kafka or --broker pubsub, or set KAFKA_BROKERS or PUBSUB_EMULATOR_HOST",
  );
}

function kafkaOptions({
  kafkaBrokers,
  createTopics,
  partitions = 1,
  replicationFactor = 1,
}: BrokerFlags): KafkaOptions {
  const addresses = kafkaBrokers ?? env["KAFKA_BROKERS"] ?? "";
  const brokers = addresses
    .split(",")
    .map((address) => address.trim())
    .filter((address) => address !== "");
  if (brokers.length === 0) {
    throw new ConfigError(
      "kafka: no address: set KAFKA_BROKERS, or give --kafka-brokers, to host:port of one or more brokers, comma-separated",
    );
  }
  return { brokers, ...(createTopics && { createTopics: { partitions, replicationFactor } }) };
}

/** The driver itself looks for the emulator and for credentials, and says what is missing. */
function pubsubOptions({ createTopics }: BrokerFlags, topics: Readonly<Record<string, string>>): PubSubOptions {
  const projectId = env["PUBSUB_PROJECT_ID"] || env["GOOGLE_CLOUD_PROJECT"];
  return { topics, createTopics, ...(projectId !== undefined && { projectId }) };
}

function checkTopicFlags({ broker, createTopics, partitions, replicationFactor }: BrokerFlags): void {
  if (partitions === undefined && replicationFactor === undefined) return;
  if (broker === "kafka" && createTopics) return;
  throw new ConfigError("--partitions and --replication-factor are for --broker kafka with --create-topics");
}
