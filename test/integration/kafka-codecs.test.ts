import { randomUUID } from "node:crypto";
import { compress, decompress, init } from "@bokuweb/zstd-wasm";
// @ts-expect-error it has no types
import snappy from "kafkajs-snappy";
import { compressFrame, decompressFrame } from "lz4-napi";
import { silentLogger } from "millrace";
import { kafkaBroker, type KafkaOptions } from "millrace/kafka";
import { asyncScheduler } from "rxjs";
import { beforeAll, describe, expect, test } from "vitest";
import { kafkaClasspath } from "../../scripts/brokers/kafka-jars.ts";
import { until } from "../../scripts/brokers/until.ts";
import { runTool, type KafkaTools } from "../faults/java.ts";
import { kafkaBrokers } from "../brokers/addresses.ts";
import { javaProducer } from "./java-producer.ts";
import { plainKafka, skipped } from "./plain-clients.ts";

type Codecs = Exclude<KafkaOptions["codecs"], undefined>;

// Java writes frames that don't tell their length.
const largestBatchBytes = 4 * 1024 * 1024;

const codecs: Codecs = {
  snappy,
  lz4: () => ({
    compress: ({ buffer }) => compressFrame(buffer),
    decompress: (buffer) => decompressFrame(buffer),
  }),
  zstd: () => ({
    compress: ({ buffer }) => Promise.resolve(Buffer.from(compress(buffer))),
    decompress: (buffer) => Promise.resolve(Buffer.from(decompress(buffer, { defaultHeapSize: largestBatchBytes }))),
  }),
};
const compressions = ["gzip", "snappy", "lz4", "zstd"] as const;

const count = 200;
const valuesOf = (name: string): string[] =>
  Array.from({ length: count }, (_, index) => `${name} ${index} ${"-".repeat(1_000)}`);

const addresses = kafkaBrokers();

describe.skipIf(addresses === undefined && skipped("Kafka's codecs (KAFKA_BROKERS is not set)"))("kafka codecs", () => {
  const brokers = addresses ?? [];
  let tools: KafkaTools;
  beforeAll(async () => {
    tools = { brokers, classpath: kafkaClasspath() };
    await init();
  });

  function open(options: Partial<KafkaOptions>, groupId = `group-${randomUUID()}`) {
    return kafkaBroker({ brokers, codecs, createTopics: { partitions: 1, replicationFactor: 1 }, ...options }).open({
      groupId,
      maxInFlight: 1_000,
      processingGuarantee: "at_least_once",
      commitIntervalMs: 100,
      autoOffsetReset: {},
      topics: [],
      scheduler: asyncScheduler,
      logger: silentLogger,
    });
  }

  /** Bytes of the log of each topic, from Kafka's own tool. */
  async function logSizes(topics: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const stdout = await runTool(tools, "org.apache.kafka.tools.LogDirsCommand", [
      ...["--bootstrap-server", brokers.join(","), "--describe", "--topic-list", topics.join(",")],
    ]);
    const sizes = new Map<string, number>();
    for (const [, topic = "", size] of stdout.matchAll(/"partition":"(.+?)-0","size":(\d+)/g)) {
      sizes.set(topic, Number(size));
    }
    return sizes;
  }

  async function read(topic: string, groupId: string): Promise<string[]> {
    const session = await open({}, groupId);
    const values: string[] = [];
    const reading = session.deliveries([topic]).subscribe((delivery) => {
      values.push(Buffer.from(delivery.record.value ?? []).toString());
      delivery.ack();
    });
    await until(() => values.length >= count, { what: () => `all of ${topic}: ${values.length}` });
    reading.unsubscribe();
    await session.close();
    return values;
  }

  // Red without `compression` in src/brokers/kafka/sink-producer.ts `write`: the logs are as large as the records.
  test("Kafka's consumer reads what is written with each", async () => {
    const id = randomUUID();
    const topics = compressions.map((name) => `${id}-${name}`);
    for (const name of compressions) {
      const topic = `${id}-${name}`;
      await plainKafka(brokers).createTopic(topic);
      const session = await open({ compression: name });
      await session.publish(
        valuesOf(name).map((value) => ({
          topic,
          key: null,
          value: Buffer.from(value),
          headers: [],
          timestamp: Date.now(),
        })),
      );
      await session.close();
    }
    const stdout = await runTool(tools, "org.apache.kafka.tools.consumer.ConsoleConsumer", [
      ...["--bootstrap-server", brokers.join(","), "--include", `${id}-.*`, "--from-beginning"],
      ...["--max-messages", String(count * topics.length), "--timeout-ms", "20000"],
    ]);
    const lines = stdout.split("\n").filter((line) => line !== "");
    for (const name of compressions) expect(lines.filter((line) => line.startsWith(name))).toEqual(valuesOf(name));
    const sizes = await logSizes(topics);
    for (const topic of topics) expect(sizes.get(topic)).toBeLessThan(count * 100);
  });

  // Red without the registration of `codec` in src/brokers/kafka/client.ts `registerCodecs`.
  test.each(compressions)("reads what Kafka's producer wrote with %s", async (name) => {
    const topic = `t-${randomUUID()}`;
    await plainKafka(brokers).createTopic(topic);
    await javaProducer(tools, topic, { compression: name, lines: valuesOf(name) });
    expect((await logSizes([topic])).get(topic)).toBeLessThan(count * 500);
    expect(await read(topic, `group-${randomUUID()}`)).toEqual(valuesOf(name));
  });
});
