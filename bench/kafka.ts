// What the topology costs on a real Kafka, with a model that does nothing: JSON on standard output. node --import tsx bench/kafka.ts <brokers>
import { randomUUID } from "node:crypto";
import { Kafka, logLevel, type Producer } from "kafkajs";
import { StreamsApp, type Model } from "millrace";
import { kafkaBroker } from "millrace/kafka";
import type { Classification } from "millrace/model";
import { embeddedInference, type Range } from "millrace/topologies/embedded-inference";

const partitions = 4;
const backlog = 200_000;
const roundTrips = 300;
const idleMs = 5_000;

export interface KafkaFigures {
  /** 1-image requests from topic to topic. */
  readonly recordsPerSecond: number;
  /** From a request's write to its result in a consumer, nothing else going on, milliseconds. */
  readonly roundTripMs: { readonly p50: number; readonly p99: number };
  /** CPU time of the process per second of idleness, milliseconds. */
  readonly idleCpuMs: number;
}

/** Answers at once: what is left is the topology, the driver and the broker. */
async function noModel(): Promise<Model<Range, Classification>> {
  const answer: Classification = { classes: new Uint8Array([8]), scores: new Float32Array([1]) };
  return {
    info: { name: "none", sha256: "0".repeat(64), engine: "none" },
    rows: ({ start, end }) => end - start,
    slice: (_, from, to) => ({ start: from, end: to }),
    join: ([output = answer]) => output,
    predict: async (inputs) => inputs.map(() => answer),
    close: async () => {},
  };
}

async function measure(brokers: string[]): Promise<KafkaFigures> {
  const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING });
  const run = randomUUID();
  const [input, output] = [`bench-in-${run}`, `bench-out-${run}`];
  const [admin, producer, consumer] = [
    kafka.admin(),
    kafka.producer(),
    kafka.consumer({ groupId: `bench-reader-${run}`, maxWaitTimeInMs: 50 }),
  ];
  await Promise.all([admin.connect(), producer.connect(), consumer.connect()]);
  const topics = [input, output, `${run}.dlq`];
  await admin.createTopics({
    waitForLeaders: true,
    topics: topics.map((topic) => ({ topic, numPartitions: partitions, replicationFactor: 1 })),
  });
  for (let sent = 0; sent < backlog; sent += 2_000) await send(producer, input, 2_000);
  const app = new StreamsApp(embeddedInference({ input, output, classifier: noModel }), {
    applicationId: run,
    broker: kafkaBroker({ brokers }),
  });
  await app.start();
  await app.whenSettled(1);
  const [began, first] = [performance.now(), app.metrics.settled];
  await app.whenSettled(backlog);
  const recordsPerSecond = (backlog - first) / ((performance.now() - began) / 1_000);

  let arrived: () => void = () => {};
  await consumer.subscribe({ topic: output });
  await consumer.run({ autoCommit: false, eachMessage: async () => arrived() });
  const times: number[] = [];
  for (let trip = -20; trip < roundTrips; trip += 1) {
    const answer = new Promise<void>((resolve) => (arrived = resolve));
    const sentAt = performance.now();
    await send(producer, input, 1);
    await answer;
    if (trip >= 0) times.push(performance.now() - sentAt);
  }
  await Promise.all([admin.disconnect(), producer.disconnect(), consumer.disconnect()]);
  const before = process.cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, idleMs));
  const { user, system } = process.cpuUsage(before);
  await app.close();
  times.sort((a, b) => a - b);
  const quantile = (q: number): number => times[Math.floor(q * (times.length - 1))] ?? 0;
  return {
    recordsPerSecond,
    roundTripMs: { p50: quantile(0.5), p99: quantile(0.99) },
    idleCpuMs: (user + system) / 1_000 / (idleMs / 1_000),
  };
}

let sent = 0;
async function send(producer: Producer, topic: string, count: number): Promise<void> {
  const messages = Array.from({ length: count }, () => {
    sent = (sent + 1) % 10_000;
    return { value: `{"start_idx":${sent},"end_idx":${sent + 1}}` };
  });
  await producer.send({ topic, messages });
}

console.log(JSON.stringify(await measure((process.argv[2] ?? "").split(","))));
