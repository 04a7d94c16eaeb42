import { setTimeout as sleep } from "node:timers/promises";
import { of } from "rxjs";
import { describe, expect, test } from "vitest";
import { headerText, textHeader } from "../../../src/core/provenance.ts";
import { jsonSerde, nullable, numberSerde, stringSerde } from "../../../src/core/serde.ts";
import { TopologyTestDriver, VirtualScheduler } from "../../../src/testing/index.ts";
import { StreamsBuilder } from "../../../src/topology/streams-builder.ts";
import { later, text, through } from "../../topologies/streams.ts";

const upper = through((stream) => stream.mapValues((value) => value.toUpperCase()));

describe("piping and reading", () => {
  test("a value in, a value out", async () => {
    await using driver = new TopologyTestDriver(upper);
    const output = driver.createOutputTopic("OUT", text);
    await driver.createInputTopic("IN", text).pipeInput("hello");
    expect(await output.readValue()).toBe("HELLO");
    expect(await output.readValue()).toBeUndefined();
  });

  test("key, headers, timestamp and partition go in and come out", async () => {
    await using driver = new TopologyTestDriver(upper, { partitions: 3 });
    const input = driver.createInputTopic("IN", text);
    const output = driver.createOutputTopic("OUT", text);
    await input.pipeInput("key", "value", { headers: [textHeader("run", "7")], timestamp: 12, partition: 1 });
    const record = await output.readRecord();
    expect(record).toMatchObject({ key: "key", value: "VALUE", timestamp: 12 });
    expect(headerText(record?.headers ?? [], "run")).toBe("7");
    expect(headerText(record?.headers ?? [], "millrace-id")).toBe("memory:IN/1@0#KSTREAM-SINK-0000000002");
  });

  test("a record without a timestamp bears the time of the driver's clock", async () => {
    await using driver = new TopologyTestDriver(upper);
    const input = driver.createInputTopic("IN", text);
    await input.pipeInput("a");
    await driver.advanceWallClockTime(1_500);
    await input.pipeInput("b");
    const times = (await driver.createOutputTopic("OUT", text).readRecords()).map(({ timestamp }) => timestamp);
    expect(times.map((time) => new Date(time).toISOString())).toEqual([
      "2026-01-01T00:00:00.000Z",
      "2026-01-01T00:00:01.500Z",
    ]);
  });

  test("keys have serdes of their own, and tombstones go through a nullable one", async () => {
    const builder = new StreamsBuilder();
    const serdes = { key: numberSerde, value: nullable(stringSerde) };
    builder.stream("IN", serdes).to("OUT", serdes);
    await using driver = new TopologyTestDriver(builder.build());
    await driver.createInputTopic("IN", serdes).pipeInput(7, null);
    expect(await driver.createOutputTopic("OUT", serdes).readRecord()).toMatchObject({ key: 7, value: null });
  });

  test("what a serde refuses on reading is a DecodeError that names the position", async () => {
    await using driver = new TopologyTestDriver(upper);
    await driver.createInputTopic("IN", text).pipeInput("not json");
    const output = driver.createOutputTopic("OUT", { value: jsonSerde() });
    await expect(output.readValue()).rejects.toMatchObject({ code: "ERR_DECODE", position: "memory:OUT/0@0" });
    expect(await output.isEmpty()).toBe(true);
  });

  test("readRecords gives what has not been read, by partition", async () => {
    await using driver = new TopologyTestDriver(upper, { topics: { IN: 2, OUT: 2 } });
    const output = driver.createOutputTopic("OUT", text);
    const input = driver.createInputTopic("IN", text);
    await input.pipeRecords(["a", "b", "c", "d"].map((value) => ({ key: value, value })));
    const first = await output.readRecord();
    const rest = await output.readRecords();
    expect([first, ...rest].map((record) => record?.value).toSorted()).toEqual(["A", "B", "C", "D"]);
    const partitions = [first, ...rest].map((record) => record?.partition);
    expect(partitions).toEqual(partitions.toSorted());
    expect(new Set(partitions).size).toBe(2);
    expect(await output.readRecords()).toEqual([]);
    await input.pipeInput("later", "e");
    expect(await output.isEmpty()).toBe(false);
    expect((await output.readRecords()).map(({ value }) => value)).toEqual(["E"]);
  });

  test("records that are piped together meet in one batch", async () => {
    const sizes: number[] = [];
    const topology = through((stream) =>
      stream.batch({ maxSize: 10 }).mapBatch((values) => {
        sizes.push(values.length);
        return values;
      }),
    );
    await using driver = new TopologyTestDriver(topology);
    const input = driver.createInputTopic("IN", text);
    await input.pipeRecords([{ value: "a" }, { value: "b" }, { value: "c" }]);
    await input.pipeInput("d");
    expect(sizes).toEqual([3, 1]);
  });

  test("producedTopicNames tells what the app wrote, and not what the test wrote", async () => {
    await using driver = new TopologyTestDriver(upper);
    expect(await driver.producedTopicNames()).toEqual([]);
    await driver.createInputTopic("IN", text).pipeInput("a");
    expect(await driver.producedTopicNames()).toEqual(["OUT"]);
  });

  test("values of the program itself start with the first call", async () => {
    const builder = new StreamsBuilder();
    builder.fromObservable(of("a", "b")).to("OUT", text);
    await using driver = new TopologyTestDriver(builder.build());
    expect((await driver.createOutputTopic("OUT", text).readRecords()).map(({ value }) => value)).toEqual(["a", "b"]);
  });
});

describe("waiting", () => {
  test("a promise that takes real time is waited for", async () => {
    await using driver = new TopologyTestDriver(
      through((stream) =>
        stream.mapAsync(async (value) => {
          await sleep(20);
          return `${value}!`;
        }),
      ),
    );
    await driver.createInputTopic("IN", text).pipeInput("a");
    expect(driver.metrics.inFlight).toBe(0);
    expect(await driver.createOutputTopic("OUT", text).readValue()).toBe("a!");
  });

  test("so is one that mergeMap is given", async () => {
    await using driver = new TopologyTestDriver(
      through((stream) => stream.mergeMap((value) => sleep(20).then(() => `${value}!`), { concurrency: 2 })),
    );
    await driver.createInputTopic("IN", text).pipeInput("a");
    expect(await driver.createOutputTopic("OUT", text).readValue()).toBe("a!");
  });

  test("a call that waits for the virtual clock goes on when time passes, each at its time", async () => {
    const scheduler = new VirtualScheduler();
    const topology = through((stream) =>
      stream.mapAsync((value) => later(scheduler, Number(value), value), {
        concurrency: 8,
        ordered: false,
      }),
    );
    await using driver = new TopologyTestDriver(topology, { scheduler });
    const output = driver.createOutputTopic("OUT", text);
    await driver.createInputTopic("IN", text).pipeRecords(["30", "10", "20"].map((value) => ({ value })));
    expect(await output.isEmpty()).toBe(true);
    expect(driver.metrics.inFlight).toBe(3);
    await driver.advanceWallClockTime(20);
    expect((await output.readRecords()).map(({ value }) => value)).toEqual(["10", "20"]);
    await driver.advanceWallClockTime(10);
    expect(await output.readValue()).toBe("30");
  });

  test("a promise in real time is waited for although a backoff waits for the clock", async () => {
    const topology = through((stream) =>
      stream.mapAsync(
        async (value) => {
          if (value === "bad") throw new Error("bad");
          await sleep(20);
          return value;
        },
        { concurrency: 2, ordered: false, onError: "RETRY" },
      ),
    );
    await using driver = new TopologyTestDriver(topology);
    await driver.createInputTopic("IN", text).pipeRecords([{ value: "bad" }, { value: "good" }]);
    expect(await driver.createOutputTopic("OUT", text).readValue()).toBe("good");
    expect(driver.app.backingOff).toBe(1);
  });

  test("retries and timers of processors run when the clock advances", async () => {
    let attempts = 0;
    const topology = through((stream) =>
      stream.mapValues(
        (value) => {
          attempts += 1;
          if (attempts < 3) throw new Error("not yet");
          return value;
        },
        { onError: "RETRY" },
      ),
    );
    await using driver = new TopologyTestDriver(topology);
    await driver.createInputTopic("IN", text).pipeInput("a");
    expect(attempts).toBe(1);
    await driver.advanceWallClockTime(99);
    expect(attempts).toBe(1);
    await driver.advanceWallClockTime(1);
    expect(attempts).toBe(2);
    await driver.advanceWallClockTime(200);
    expect(await driver.createOutputTopic("OUT", text).readValue()).toBe("a");
  });
});
