import { describe, expect, test } from "vitest";
import { deadLetterHeaders } from "../../src/runtime/dead-letters.ts";
import type { StreamRecord } from "../../src/core/record.ts";
import { headerText } from "../../src/core/provenance.ts";
import type { Held, Processor, ProcessorContext } from "../../src/operators/process.ts";
import { TopologyTestDriver, VirtualScheduler } from "../../src/testing/index.ts";
import { StreamsBuilder } from "../../src/topology/streams-builder.ts";
import type { Topology } from "../../src/topology/topology.ts";
import { later, records, text, through, valuesOf } from "./streams.ts";

function committed(driver: TopologyTestDriver): number | undefined {
  return driver.broker.committed("test", "IN", 0);
}

describe("a delivery is settled", () => {
  test("when its last record is filtered out", async () => {
    await using driver = new TopologyTestDriver(through((stream) => stream.filter(() => false)));
    await driver.createInputTopic("IN", text).pipeInput("a");
    expect(committed(driver)).toBe(1);
  });

  test("when the slowest of its records is published, and not before", async () => {
    const scheduler = new VirtualScheduler();
    const topology = through((stream) =>
      stream
        .flatMapValues((value) => value.split(","))
        .mapAsync((value) => later(scheduler, Number(value), value), { concurrency: 4, ordered: false }),
    );
    await using driver = new TopologyTestDriver(topology, { scheduler });
    const output = driver.createOutputTopic("OUT", text);
    await driver.createInputTopic("IN", text).pipeInput("10,30,20");
    await driver.advanceWallClockTime(29);
    expect(await valuesOf(output)).toEqual(["10", "20"]);
    expect(committed(driver)).toBe(0);
    await driver.advanceWallClockTime(1);
    expect(await valuesOf(output)).toEqual(["30"]);
    expect(committed(driver)).toBe(1);
  });

  test("with one dead letter per node that failed, which names the paths; the other results stand", async () => {
    const topology = through((stream) =>
      stream
        .flatMapValues((value) => value.split(","))
        .mapValues(
          (value) => {
            if (value.startsWith("bad")) throw new Error(`${value} refused`);
            return value;
          },
          { name: "check", onError: "DEAD_LETTER" },
        ),
    );
    await using driver = new TopologyTestDriver(topology);
    await driver.createInputTopic("IN", text).pipeInput("key", "a,bad1,b,bad2");
    expect(await valuesOf(driver.createOutputTopic("OUT", text))).toEqual(["a", "b"]);
    expect(await driver.deadLetters()).toMatchObject([
      { error: { code: "ERR_PROCESS", node: "check", position: "memory:IN/0@0", path: "/1,/3" } },
    ]);
    const [letter] = await driver.createOutputTopic("test.dlq", text).readRecords();
    expect(letter).toMatchObject({ key: "key", value: "a,bad1,b,bad2" });
    expect(headerText(letter?.headers ?? [], deadLetterHeaders.topic)).toBe("IN");
    expect(committed(driver)).toBe(1);
  });

  test("never, when its dead letter can't be written", async () => {
    const topology = through((stream) =>
      stream.mapValues(
        (value) => {
          throw new Error(value);
        },
        { onError: "DEAD_LETTER" },
      ),
    );
    await using driver = new TopologyTestDriver(topology, { rejectOnError: false });
    driver.broker.faults.refuseWrites(() => ({ message: "disk full", retryable: true }));
    await driver.createInputTopic("IN", text).pipeInput("a");
    expect(driver.app.state).toBe("ERROR");
    expect(driver.app.error?.message).toContain("disk full");
    expect(committed(driver)).toBe(0);
  });
});

/** Joins as many values as it is told to; keeps each until the last has come. */
class Joiner implements Processor<string | null, string, string | null, string> {
  private readonly size: number;
  private context: ProcessorContext<string | null, string> | undefined = undefined;
  private values: string[] = [];
  private holds: Held[] = [];

  constructor(size: number) {
    this.size = size;
  }

  init(context: ProcessorContext<string | null, string>): void {
    this.context = context;
  }

  process(record: StreamRecord<string | null, string>): void {
    const { context } = this;
    if (context === undefined) throw new Error("init comes first");
    this.values.push(record.value);
    this.holds.push(context.hold());
    if (this.values.length < this.size) return;
    context.forward(record.withValue(this.values.join("+")), { from: this.holds });
    this.values = [];
    this.holds = [];
  }
}

describe("several deliveries that became one record", () => {
  function joined(scheduler: VirtualScheduler): Topology {
    return through((stream) =>
      stream.process(() => new Joiner(2)).mapAsync((value) => later(scheduler, 50, value), { concurrency: 4 }),
    );
  }

  test("are settled when that is published", async () => {
    const scheduler = new VirtualScheduler();
    await using driver = new TopologyTestDriver(joined(scheduler), { scheduler });
    const output = driver.createOutputTopic("OUT", text);
    await driver.createInputTopic("IN", text).pipeRecords(records("a", "b", "c"));
    expect(committed(driver)).toBe(0);
    await driver.advanceWallClockTime(49);
    expect(committed(driver)).toBe(0);
    await driver.advanceWallClockTime(1);
    expect(await valuesOf(output)).toEqual(["a+b"]);
    expect(committed(driver)).toBe(2);
    expect(driver.metrics.inFlight).toBe(1);
    await driver.createInputTopic("IN", text).pipeInput("d");
    await driver.advanceWallClockTime(50);
    expect(await valuesOf(output)).toEqual(["c+d"]);
    expect(driver.metrics).toMatchObject({ settled: 4, inFlight: 0 });
  });

  test("come again together after a crash, and one by one after a drain", async () => {
    const scheduler = new VirtualScheduler();
    await using driver = new TopologyTestDriver(joined(scheduler), { scheduler });
    const output = driver.createOutputTopic("OUT", text);
    const input = driver.createInputTopic("IN", text);
    await input.pipeRecords(records("a", "b", "c"));
    await driver.crash();
    await driver.advanceWallClockTime(50);
    expect(await valuesOf(output)).toEqual(["a+b"]);
    expect(await driver.app.close()).toEqual({ settled: 0, released: 1, abandoned: 0 });
    await driver.crash();
    await input.pipeInput("d");
    await driver.advanceWallClockTime(50);
    expect(await valuesOf(output)).toEqual(["c+d"]);
    expect(committed(driver)).toBe(4);
  });

  test("are given up with their lane", async () => {
    const scheduler = new VirtualScheduler();
    await using driver = new TopologyTestDriver(joined(scheduler), { scheduler });
    await driver.createInputTopic("IN", text).pipeRecords(records("a", "b", "c"));
    await driver.rebalance();
    await driver.advanceWallClockTime(100);
    expect(await valuesOf(driver.createOutputTopic("OUT", text))).toEqual(["a+b"]);
    expect(driver.metrics).toMatchObject({ delivered: 6, settled: 2, lost: 3, inFlight: 1 });
  });
});

describe("memory is bounded", () => {
  test("by what is pulled: an endless fan-out gives as much as there is room for", async () => {
    const scheduler = new VirtualScheduler();
    let pulled = 0;
    const topology = through((stream) =>
      stream
        .flatMapValues(function* () {
          for (;;) {
            pulled += 1;
            yield String(pulled);
          }
        })
        .mapAsync((value) => later(scheduler, 10, value), { concurrency: 2 }),
    );
    const driver = new TopologyTestDriver(topology, { scheduler });
    await driver.createInputTopic("IN", text).pipeInput("a");
    const first = pulled;
    expect(first).toBeLessThan(100);
    await driver.advanceWallClockTime(100);
    expect(pulled - first).toBe(20);
    expect(await driver.close({ drainMs: 10 })).toEqual({ settled: 0, released: 0, abandoned: 1 });
  });

  test("by the credit: no more than maxInFlight deliveries are out", async () => {
    const scheduler = new VirtualScheduler();
    const topology = through((stream) => stream.mapAsync((value) => later(scheduler, 10, value), { concurrency: 100 }));
    await using driver = new TopologyTestDriver(topology, { scheduler, maxInFlight: 3, partitions: 2 });
    const input = driver.createInputTopic("IN", text);
    await input.pipeRecords(Array.from({ length: 10 }, (_, index) => ({ value: String(index), partition: index % 2 })));
    expect(driver.metrics).toMatchObject({ delivered: 3, inFlight: 3 });
    await driver.advanceWallClockTime(10);
    expect(driver.metrics).toMatchObject({ delivered: 6, inFlight: 3 });
  });
});

test("a source of the program itself is drained like any other", async () => {
  const builder = new StreamsBuilder();
  builder.fromObservable(["a", "b", "c"]).to("OUT", text);
  const driver = new TopologyTestDriver(builder.build());
  expect(await valuesOf(driver.createOutputTopic("OUT", text))).toEqual(["a", "b", "c"]);
  expect(await driver.close()).toEqual({ settled: 0, released: 0, abandoned: 0 });
  expect(driver.metrics).toMatchObject({ delivered: 3, settled: 3, inFlight: 0 });
});
