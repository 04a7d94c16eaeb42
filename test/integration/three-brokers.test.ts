import { randomUUID } from "node:crypto";
import { StreamsApp, type Broker } from "millrace";
import { kafkaBroker } from "millrace/kafka";
import { memoryBroker } from "millrace/memory";
import { drawGarments, imageClassifier } from "millrace/model";
import { pubsubBroker } from "millrace/pubsub";
import { embeddedInference, predictionSchema, type Prediction } from "millrace/topologies/embedded-inference";
import { describe, expect, test } from "vitest";
import { kafkaBrokers, pubsubEmulator } from "../brokers/addresses.ts";
import { until } from "../../scripts/brokers/until.ts";
import { plainKafka, plainPubSub, skipped, type Message, type PlainClient } from "./plain-clients.ts";

const count = 2_000;
const { images } = drawGarments({ count: 10_000 });
const bad: readonly Message[] = [
  { value: "no JSON" },
  { value: '{"start_idx":5}' },
  { value: '{"start_idx":9,"end_idx":3}' },
  { value: '{"start_idx":0,"end_idx":10001}' },
  { headers: { start_idx: "one", end_idx: "2" } },
  { headers: { start_idx: "1" } },
  { value: '{"start_idx":-1,"end_idx":2}' },
];
const requests = makeRequests();
const [kafkaAddresses, emulator] = [kafkaBrokers(), pubsubEmulator()];

interface Outcome {
  readonly results: readonly Prediction[];
  readonly deadLetters: readonly string[];
}

describe(`one topology, three brokers, the same ${count} requests`, () => {
  const reference = runOnMemory();

  test("memory answers all but the bad ones", async () => {
    const { results, deadLetters } = await reference;
    expect(results).toHaveLength(count - 20);
    expect(deadLetters).toHaveLength(20);
    expect(new Set(results.map(({ start_idx, end_idx }) => end_idx - start_idx))).toEqual(new Set([1, 32, 1_000]));
    for (const { start_idx, end_idx, predictions } of results) expect(predictions).toHaveLength(end_idx - start_idx);
  });

  test.skipIf(kafkaAddresses === undefined && skipped("three brokers: Kafka (KAFKA_BROKERS is not set)"))(
    "kafka gives the same results and dead letters",
    async () => {
      const brokers = kafkaAddresses ?? [];
      const outcome = await runOn(kafkaBroker({ brokers }), plainKafka(brokers));
      expectSame(outcome, await reference);
    },
  );

  test.skipIf(emulator === undefined && skipped("three brokers: Pub/Sub (PUBSUB_EMULATOR_HOST is not set)"))(
    "pubsub gives the same results and dead letters",
    async () => {
      const emulatorHost = emulator ?? "";
      const projectId = `three-${randomUUID()}`;
      const broker = pubsubBroker({ emulatorHost, projectId });
      expectSame(await runOn(broker, plainPubSub(emulatorHost, projectId)), await reference);
    },
  );
});

/** Runs the topology on topics of its own, publishes and reads with the broker's own client. */
async function runOn(broker: Broker, client: PlainClient): Promise<Outcome> {
  const id = `three-${randomUUID()}`;
  const [input, output, deadLetterTopic] = [`${id}-in`, `${id}-out`, `${id}.dlq`];
  for (const topic of [input, output, deadLetterTopic]) await client.createTopic(topic, 3);
  await client.createGroup(input, id);
  const app = new StreamsApp(topologyOf(input, output), { applicationId: id, broker });
  try {
    const [written, letters] = [await client.collect(output), await client.collect(deadLetterTopic)];
    await app.start();
    await client.publish(input, requests);
    await until(() => app.error !== undefined || written.length + letters.length >= count, {
      what: "all requests answered",
    });
    await app.close({ drainMs: 10_000 });
    expect(app.error).toBeUndefined();
    await new Promise((resolve) => setTimeout(resolve, 500)); // what would be too many comes now
    return outcomeOf(written, letters);
  } finally {
    await app.close({ drainMs: 0 });
    await client.close();
  }
}

async function runOnMemory(): Promise<Outcome> {
  const broker = memoryBroker({ partitions: 3 });
  const app = new StreamsApp(topologyOf("in", "out"), { applicationId: "three", broker });
  const encoder = new TextEncoder();
  await app.start();
  broker.publish(
    requests.map(({ key, value = "", headers = {} }) => ({
      topic: "in",
      key: key === undefined ? null : encoder.encode(key),
      value: encoder.encode(value),
      headers: Object.entries(headers).map(([name, content]) => [name, encoder.encode(content)] as const),
      timestamp: 0,
    })),
  );
  await app.whenSettled(count);
  await app.close({ drainMs: 10_000 });
  const read = (topic: string): readonly Required<Message>[] =>
    broker.records(topic).map(({ key, value, headers }) => ({
      key: text(key),
      value: text(value),
      headers: Object.fromEntries(headers.map(([name, bytes]) => [name, text(bytes)])),
    }));
  return outcomeOf(read("out"), read("three.dlq"));
}

function topologyOf(input: string, output: string): ReturnType<typeof embeddedInference> {
  return embeddedInference({ input, output, classifier: imageClassifier({ images }) });
}

function outcomeOf(written: readonly Required<Message>[], letters: readonly Required<Message>[]): Outcome {
  const results = written.map(({ value }) => predictionSchema.parse(JSON.parse(value)));
  const order = (a: Prediction, b: Prediction): number => a.start_idx - b.start_idx || a.end_idx - b.end_idx;
  return { results: results.toSorted(order), deadLetters: letters.map((letter) => letterText(letter)).toSorted() };
}

/** A dead letter without what differs by nature: where the record stood, and what the broker adds to it. */
function letterText({ key, value, headers }: Required<Message>): string {
  const { "millrace.error.position": position = "", "millrace.error.message": message = "" } = headers;
  const { "millrace.error.code": code, "millrace.error.node": node, start_idx, end_idx } = headers;
  return JSON.stringify({ key, value, code, node, start_idx, end_idx, message: message.replaceAll(position, "here") });
}

/** Labels are the same; scores differ by the last of four decimals at most, where the batch that a row was in rounds otherwise. */
function expectSame(outcome: Outcome, reference: Outcome): void {
  const labels = ({ start_idx, end_idx, predictions }: Prediction): string =>
    `${start_idx}-${end_idx} ${predictions.join()}`;
  expect(outcome.deadLetters).toEqual(reference.deadLetters);
  expect(outcome.results.map((result) => labels(result))).toEqual(reference.results.map((result) => labels(result)));
  const scores = ({ results }: Outcome): number[] => results.flatMap((result) => result.scores);
  const expected = scores(reference);
  const apart = scores(outcome).map((score, index) => Math.abs(score - (expected[index] ?? Number.NaN)));
  expect(apart.filter((distance) => !(distance < 1.5e-4))).toEqual([]);
}

function text(bytes: Uint8Array | null): string {
  return bytes === null ? "" : new TextDecoder().decode(bytes);
}

/** 1 % bad, 1 % of 1,000 images, a fifth of 32, the rest of one; every tenth as headers, every third without a key. */
function makeRequests(): Message[] {
  const next = random(2026);
  return Array.from({ length: count }, (_, index) => {
    const key = index % 3 === 0 ? {} : { key: `k${index % 7}` };
    if (index % 100 === 50) return { ...key, ...bad[(index / 50) % bad.length] };
    const draw = next();
    let size = draw < 0.2 ? 32 : 1;
    if (index % 100 === 0) size = 1_000;
    const start = Math.floor(next() * (10_000 - size));
    const range = { start_idx: start, end_idx: start + size };
    if (index % 10 !== 9) return { ...key, value: JSON.stringify(range) };
    return { ...key, headers: { start_idx: String(start), end_idx: String(start + size) } };
  });
}

/** Numbers from 0 to 1, the same for the same seed: a linear congruential generator (Numerical Recipes). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
