import { randomUUID } from "node:crypto";
import type { FastifyInstance } from "fastify";
import type { Broker } from "millrace";
import { kafkaBroker } from "millrace/kafka";
import { pubsubBroker } from "millrace/pubsub";
import { until } from "../../scripts/brokers/until.ts";
import { kafkaBrokers, pubsubEmulator } from "../brokers/addresses.ts";
import { plainKafka, plainPubSub, skipped, type PlainClient } from "./plain-clients.ts";

interface Place {
  readonly name: "kafka" | "pubsub";
  readonly missing: boolean;
  readonly open: () => { readonly broker: () => Broker; readonly client: PlainClient };
}

const [kafkaAddresses, emulatorHost] = [kafkaBrokers(), pubsubEmulator()];
/** Where the service is tried; what is missing is skipped. */
export const places: readonly Place[] = [
  {
    name: "kafka",
    missing: kafkaAddresses === undefined && skipped("the service on Kafka (KAFKA_BROKERS is not set)"),
    open: () => {
      const brokers = kafkaAddresses ?? [];
      const createTopics = { partitions: 3, replicationFactor: 1 };
      return { broker: () => kafkaBroker({ brokers, createTopics }), client: plainKafka(brokers) };
    },
  },
  {
    name: "pubsub",
    missing: emulatorHost === undefined && skipped("the service on Pub/Sub (PUBSUB_EMULATOR_HOST is not set)"),
    open: () => {
      const options = { emulatorHost: emulatorHost ?? "", projectId: `service-${randomUUID()}`, createTopics: true };
      return { broker: () => pubsubBroker(options), client: plainPubSub(options.emulatorHost, options.projectId) };
    },
  },
];

export async function ready(server: FastifyInstance): Promise<void> {
  await until(async () => (await server.inject("/readyz")).statusCode === 200, { what: "readiness", ms: 30_000 });
}
