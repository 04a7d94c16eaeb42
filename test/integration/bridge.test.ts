import { randomUUID } from "node:crypto";
import { StreamsApp, StreamsBuilder, stringSerde, type Broker } from "millrace";
import { kafkaBroker } from "millrace/kafka";
import { pubsubBroker } from "millrace/pubsub";
import { describe, expect, test } from "vitest";
import { kafkaBrokers, pubsubEmulator } from "../brokers/addresses.ts";
import { until } from "../../scripts/brokers/until.ts";
import { plainKafka, plainPubSub, type PlainClient } from "./plain-clients.ts";

const count = 500;
const [brokers, emulatorHost] = [kafkaBrokers(), pubsubEmulator()];

/** One side of a bridge: the driver, and the broker's own client. */
interface Side {
  readonly broker: Broker;
  readonly client: PlainClient;
}

describe.skipIf(brokers === undefined || emulatorHost === undefined)("a bridge", () => {
  test.each(["pubsub to kafka", "kafka to pubsub"])("from %s carries every record once in a quiet run", async (way) => {
    const [from, to] = sides(way);
    const id = `bridge-${randomUUID()}`;
    const [input, output] = [`${id}-in`, `${id}-out`];
    for (const topic of [input, `${id}.dlq`]) await from.client.createTopic(topic);
    await from.client.createGroup(input, id);
    await to.client.createTopic(output);
    const written = await to.client.collect(output);
    const app = new StreamsApp(topologyOf(input, output), {
      applicationId: id,
      broker: from.broker,
      sinkBroker: to.broker,
    });
    try {
      await app.start();
      const values = Array.from({ length: count }, (_, index) => `record ${index}`);
      await from.client.publish(
        input,
        values.map((value) => ({ value })),
      );
      await until(() => app.error !== undefined || written.length >= count, { what: "all records on the other side" });
      const report = await app.close({ drainMs: 10_000 });
      expect(app.error).toBeUndefined();
      expect(report.abandoned).toBe(0);
      expect(written.map(({ value }) => value).toSorted()).toEqual(values.map((value) => `${value}!`).toSorted());
    } finally {
      await app.close({ drainMs: 0 });
      await Promise.all([from.client.close(), to.client.close()]);
    }
  });

  test("refuses exactly_once with the reason", () => {
    const [, kafka] = sides("pubsub to kafka");
    const [, pubsub] = sides("kafka to pubsub");
    const options = { applicationId: "bridge", broker: kafka.broker, sinkBroker: pubsub.broker };
    expect(() => new StreamsApp(topologyOf("in", "out"), { ...options, processingGuarantee: "exactly_once" })).toThrow(
      expect.objectContaining({ code: "ERR_CONFIG", message: expect.stringContaining("no transaction") }),
    );
  });
});

function topologyOf(input: string, output: string): ReturnType<StreamsBuilder["build"]> {
  const builder = new StreamsBuilder();
  builder
    .stream(input, { value: stringSerde })
    .mapValues((value) => `${value}!`)
    .to(output, { value: stringSerde });
  return builder.build();
}

function sides(way: string): [from: Side, to: Side] {
  const projectId = `bridge-${randomUUID()}`;
  const kafka = { broker: kafkaBroker({ brokers: brokers ?? [] }), client: plainKafka(brokers ?? []) };
  const pubsub = {
    broker: pubsubBroker({ projectId, emulatorHost: emulatorHost ?? "" }),
    client: plainPubSub(emulatorHost ?? "", projectId),
  };
  return way === "pubsub to kafka" ? [pubsub, kafka] : [kafka, pubsub];
}
