import { asyncScheduler, type SchedulerLike } from "rxjs";
import { expect, test } from "vitest";
import { memoryBroker, type MemoryBroker } from "../../../src/brokers/memory/index.ts";
import { stringSerde } from "../../../src/core/serde.ts";
import { StreamsApp } from "../../../src/runtime/streams-app.ts";
import { TopologyTestDriver, VirtualScheduler } from "../../../src/testing/index.ts";
import type { Topology } from "../../../src/topology/topology.ts";
import type { Operation } from "./operation.ts";
import { topologyOf } from "./topology.ts";
import { integerSerde } from "./values.ts";

/** One of each. */
const operations: readonly Operation[] = [
  { kind: "map", seed: 3, failure: { rest: 1, always: false, answer: "RETRY" } },
  { kind: "side", seed: 0, failure: undefined },
  {
    kind: "diamond",
    seed: 1,
    left: [{ kind: "mapAsync", seed: 2, concurrency: 3, failure: { rest: 3, always: true, answer: "DEAD_LETTER" } }],
    right: [
      { kind: "filter", seed: 4, failure: undefined },
      { kind: "selectKey", seed: 5, failure: undefined },
    ],
  },
  { kind: "flatMap", seed: 6, lazy: true, failure: { rest: 3, always: false, answer: "RETRY" } },
  {
    kind: "fan",
    seed: 7,
    left: [{ kind: "mergeMap", seed: 8, concurrency: 4, failure: undefined }],
    right: [{ kind: "process", seed: 9, failure: undefined }],
  },
  {
    kind: "mapBatch",
    seed: 10,
    concurrency: 2,
    maxSize: 5,
    maxWaitMs: 3,
    failure: { rest: 4, always: true, answer: "CONTINUE" },
  },
];

/** Records of two partitions, drawn by a linear congruential generator. */
const inputs = Array.from({ length: 40 }, (_, index) => {
  const drawn = (index * 1_103_515_245 + 12_345) % 2_147_483_648;
  return {
    key: [null, "a", "b"][drawn % 3] ?? null,
    value: drawn % 997,
    partition: drawn % 2,
    timestamp: 1_000 + index,
    headers: [],
  };
});

const options = { applicationId: "equal", retry: { attempts: 3, minDelayMs: 2 }, maxInFlight: 20 };

function topologyOn(scheduler: SchedulerLike): Topology {
  return topologyOf(operations, "partition", scheduler);
}

/** All that was written, grouped by the partition of its cause: partitions have no order between them. */
function recordsOf(broker: MemoryBroker): Record<string, string[]> {
  const text = new TextDecoder();
  const groups: Record<string, string[]> = {};
  for (const topic of ["OUT", "SIDE", "equal.dlq"]) {
    for (const { key, value, headers, timestamp } of broker.records(topic)) {
      const written = headers.map(([name, bytes]) => [name, text.decode(bytes)]);
      const cause = /IN\/\d/.exec(JSON.stringify(written))?.[0] ?? "";
      groups[`${topic} of ${cause}`] ??= [];
      groups[`${topic} of ${cause}`]?.push(
        JSON.stringify([key && text.decode(key), value && text.decode(value), written, timestamp]),
      );
    }
  }
  return groups;
}

async function onDriver(): Promise<Record<string, string[]>> {
  const scheduler = new VirtualScheduler();
  await using driver = new TopologyTestDriver(topologyOn(scheduler), { ...options, scheduler, topics: { IN: 2 } });
  await driver.createInputTopic("IN", { value: integerSerde }).pipeRecords(inputs);
  while (driver.scheduler.nextDue !== undefined) await driver.advanceWallClockTime(1_000);
  expect(driver.metrics).toMatchObject({ settled: inputs.length, inFlight: 0 });
  return recordsOf(driver.broker);
}

async function inRealTime(): Promise<Record<string, string[]>> {
  const broker = memoryBroker();
  broker.createTopic("IN", 2);
  await using app = new StreamsApp(topologyOn(asyncScheduler), { ...options, broker });
  await app.start();
  const bytes = (textOrNull: string | null): Uint8Array | null =>
    textOrNull === null ? null : (stringSerde.serialize(textOrNull, [], "") as Uint8Array); // it is synchronous
  broker.publish(
    inputs.map((input) => ({ ...input, topic: "IN", key: bytes(input.key), value: bytes(String(input.value)) })),
  );
  await app.whenSettled(inputs.length);
  return recordsOf(broker);
}

test("a scenario writes equal records in virtual and in real time", async () => {
  const [virtual, real] = [await onDriver(), await inRealTime()];
  expect(Object.keys(virtual).toSorted()).toEqual([
    "OUT of IN/0",
    "OUT of IN/1",
    "SIDE of IN/0",
    "SIDE of IN/1",
    "equal.dlq of IN/0",
    "equal.dlq of IN/1",
  ]);
  for (const records of Object.values(virtual)) expect(records.length).toBeGreaterThan(2);
  expect(real).toEqual(virtual);
});
