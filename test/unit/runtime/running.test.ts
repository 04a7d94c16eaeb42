import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test, vi } from "vitest";
import { memoryBroker } from "../../../src/brokers/memory/index.ts";
import type { Broker } from "../../../src/core/broker.ts";
import type { Model } from "../../../src/core/model.ts";
import type { OutgoingRecord, StreamRecord } from "../../../src/core/record.ts";
import type { Held, Processor, ProcessorContext } from "../../../src/operators/process.ts";
import { StreamsApp } from "../../../src/runtime/streams-app.ts";
import { TopologyTestDriver, VirtualScheduler } from "../../../src/testing/index.ts";
import { StreamsBuilder } from "../../../src/topology/streams-builder.ts";
import { later, records, text, through, valuesOf } from "../../topologies/streams.ts";
import { turn } from "../operators/harness.ts";

function recordOf(value: string, topic = "IN"): OutgoingRecord {
  return { topic, key: null, value: new TextEncoder().encode(value), headers: [], timestamp: 0 };
}

describe("a lane that is lost while work is under way", () => {
  test.each([
    [
      "mapAsync",
      (scheduler: VirtualScheduler) =>
        through((stream) => stream.mapAsync((value) => later(scheduler, 100, value), { name: "slow" })),
    ],
    [
      "mergeMap",
      (scheduler: VirtualScheduler) =>
        through((stream) => stream.mergeMap((value) => later(scheduler, 100, value), { name: "slow", concurrency: 1 })),
    ],
    [
      "mapBatch",
      (scheduler: VirtualScheduler) =>
        through((stream) =>
          stream.batch({ maxSize: 1 }).mapBatch((values) => later(scheduler, 100, values), { name: "slow" }),
        ),
    ],
  ])("%s: its late result is ignored, even by who watches, and nothing is acked", async (_, topology) => {
    const scheduler = new VirtualScheduler();
    await using driver = new TopologyTestDriver(topology(scheduler), { scheduler });
    const seen: unknown[] = [];
    driver.app.results("slow").subscribe(({ value }) => seen.push(value));
    await driver.createInputTopic("IN", text).pipeInput("a");
    await driver.advanceWallClockTime(50);
    await driver.rebalance();
    await driver.advanceWallClockTime(50);
    expect(seen).toEqual([]);
    expect(driver.broker.committed("test", "IN", 0)).toBe(0);
    expect(driver.metrics).toMatchObject({ lost: 1, settled: 0, inFlight: 1 });
    await driver.advanceWallClockTime(200);
    expect(await valuesOf(driver.createOutputTopic("OUT", text))).toEqual(["a"]);
    expect(driver.metrics).toMatchObject({ lost: 1, settled: 1, inFlight: 0 });
  });
});

test("a call that fails after its lane was lost is nobody's: not asked about, not fatal", async () => {
  const scheduler = new VirtualScheduler();
  let calls = 0;
  const asked = vi.fn(() => "FAIL" as const);
  const topology = through((stream) =>
    stream.mapAsync(async (value) => {
      calls += 1;
      const fails = calls === 1;
      await later(scheduler, 100, undefined);
      if (fails) throw new Error("too late");
      return value;
    }),
  );
  await using driver = new TopologyTestDriver(topology, { scheduler, errors: { process: asked } });
  await driver.createInputTopic("IN", text).pipeInput("a");
  await driver.rebalance();
  await driver.advanceWallClockTime(200);
  expect(asked).not.toHaveBeenCalled();
  expect(await valuesOf(driver.createOutputTopic("OUT", text))).toEqual(["a"]);
});

/** Adds up two values at a time. */
class Pairs implements Processor<string | null, string, string | null, string> {
  private context: ProcessorContext<string | null, string> | undefined = undefined;
  private readonly values: string[] = [];
  private readonly holds: Held[] = [];

  init(context: ProcessorContext<string | null, string>): void {
    this.context = context;
  }

  process(record: StreamRecord<string | null, string>): void {
    this.values.push(record.value);
    if (this.context !== undefined) this.holds.push(this.context.hold());
    if (this.values.length < 2) return;
    const pair = record.withValue(this.values.splice(0).join("+"));
    this.context?.forward(pair, { from: this.holds.splice(0) });
  }
}

test("a record made of several that fails is a dead letter of each", async () => {
  const topology = through((stream) =>
    stream
      .process(() => new Pairs())
      .filter(
        (value) => {
          if (value.includes("bad")) throw new Error("a bad pair");
          return true;
        },
        { onError: "DEAD_LETTER", name: "check" },
      ),
  );
  await using driver = new TopologyTestDriver(topology);
  await driver.createInputTopic("IN", text).pipeRecords(records("a", "b", "c", "bad"));
  expect(await valuesOf(driver.createOutputTopic("OUT", text))).toEqual(["a+b"]);
  const letters = await driver.deadLetters();
  expect(
    letters.map(({ error, record }) => [
      error.node,
      error.position,
      new TextDecoder().decode(record.value ?? undefined),
    ]),
  ).toEqual([
    ["check", "memory:IN/0@2", "c"],
    ["check", "memory:IN/0@3", "bad"],
  ]);
  expect(driver.metrics).toMatchObject({ settled: 4, inFlight: 0, deadLetters: 2 });
});

test("an app is busy while a dead letter is being written", async () => {
  const builder = new StreamsBuilder();
  builder.fromObservable(["bad"]).foreach(
    () => {
      throw new Error("no good");
    },
    { onError: "DEAD_LETTER" },
  );
  const memory = memoryBroker();
  let written: (() => void) | undefined;
  const whenWritten = new Promise<void>((resolve) => (written = resolve));
  const broker: Broker = {
    name: "slow",
    capabilities: memory.capabilities,
    defaultMaxInFlight: 10,
    open: async (options) => {
      const session = await memory.open(options);
      session.publish = () => whenWritten;
      return session;
    },
  };
  const app = new StreamsApp(builder.build(), { applicationId: "test", broker });
  await app.start();
  await turn();
  expect(app.busy).toBe(true);
  expect(app.metrics).toMatchObject({ settled: 0, deadLetters: 0 });
  written?.();
  await app.whenSettled(1);
  await turn();
  expect(app.busy).toBe(false);
  await app.close();
});

describe("an idle app", () => {
  test("sets no timer", async () => {
    const scheduler = new VirtualScheduler();
    const schedule = vi.spyOn(scheduler, "schedule");
    const builder = new StreamsBuilder();
    builder
      .stream("IN", text)
      .mapAsync(async (value) => value)
      .mergeMap((value) => [value], { concurrency: 2 })
      .batch({ maxSize: 8 })
      .mapBatch((values) => values)
      .to("OUT", text);
    const broker = memoryBroker();
    const app = new StreamsApp(builder.build(), { applicationId: "test", broker, scheduler });
    await app.start();
    broker.publish([recordOf("a")]);
    await app.whenSettled(1);
    await turn();
    expect(schedule).not.toHaveBeenCalled();
    await app.close();
  });
});

describe("the event loop", () => {
  test("ticks on while a model runs, and the next batch takes all that has queued", async () => {
    const batches: number[] = [];
    let queued: (() => void) | undefined;
    const whenQueued = new Promise<void>((resolve) => (queued = resolve));
    const model: Model<string, string> = {
      info: { name: "slow", sha256: "0", engine: "fake" },
      rows: () => 1,
      predict: async (inputs) => {
        batches.push(inputs.length);
        if (batches.length === 1) await Promise.all([sleep(300), whenQueued]); // in another thread, as far as this one knows
        return inputs;
      },
      slice: (input) => input,
      join: ([first = ""]) => first,
      close: async () => {},
    };
    const builder = new StreamsBuilder();
    builder
      .stream("IN", text)
      .batch({ maxSize: 256 })
      .infer(
        async () => model,
        (_, output) => output,
      )
      .to("OUT", text);
    const broker = memoryBroker();
    const app = new StreamsApp(builder.build(), { applicationId: "test", broker });
    await app.start();
    broker.publish([recordOf("first")]);
    while (batches.length < 1) await turn();
    let ticks = 0;
    const ticking = setInterval(() => {
      ticks += 1;
      if (ticks === 20) queued?.();
      if (ticks <= 20) broker.publish(Array.from({ length: 10 }, (_, index) => recordOf(String(index))));
    }, 5);
    await app.whenSettled(201);
    clearInterval(ticking);
    expect(batches).toEqual([1, 200]);
    expect(ticks).toBeGreaterThanOrEqual(20);
    await app.close();
  });
});
