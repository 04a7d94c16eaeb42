import { randomUUID } from "node:crypto";
import { silentLogger, StreamsApp, StreamsBuilder, stringSerde } from "millrace";
import { kafkaBroker } from "millrace/kafka";
import { describe, expect, test } from "vitest";
import { kafkaClasspath } from "../../scripts/brokers/kafka-jars.ts";
import { until } from "../../scripts/brokers/until.ts";
import { kafkaBrokers } from "../brokers/addresses.ts";
import { javaProducer } from "./java-producer.ts";
import { plainKafka, skipped } from "./plain-clients.ts";

const addresses = kafkaBrokers();

// Apart from the tests of the codecs: what one broker registers, all of its process have.
describe.skipIf(addresses === undefined && skipped("Kafka's codecs (KAFKA_BROKERS is not set)"))("kafka", () => {
  const brokers = addresses ?? [];

  // Red without the codecs that throw in src/brokers/kafka/client.ts `registerCodecs`: the error says "LZ4 compression not implemented".
  test("records whose codec is missing are an error that names the option", async () => {
    const topic = `t-${randomUUID()}`;
    await plainKafka(brokers).createTopic(topic);
    await javaProducer({ brokers, classpath: kafkaClasspath() }, topic, { compression: "lz4", lines: ["a", "b"] });
    const builder = new StreamsBuilder();
    const seen: unknown[] = [];
    builder.stream(topic, { value: stringSerde }).foreach((value) => {
      seen.push(value);
    });
    const app = new StreamsApp(builder.build(), {
      applicationId: topic,
      broker: kafkaBroker({ brokers, createTopics: { partitions: 1, replicationFactor: 1 } }),
      logger: silentLogger,
    });
    await app.start();
    await until(() => app.error !== undefined, { what: "an error" });
    expect(app.error).toMatchObject({
      code: "ERR_BROKER",
      message: expect.stringContaining("records are compressed with lz4, which needs a codec: codecs: { lz4: … }"),
    });
    expect(seen).toEqual([]);
    await app.close();
  });
});
