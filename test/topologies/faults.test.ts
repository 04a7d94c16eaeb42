import { describe, expect, test } from "vitest";
import { Subject } from "rxjs";
import { TopologyTestDriver, VirtualScheduler, type TopologyTestDriverOptions } from "../../src/testing/index.ts";
import { StreamsBuilder } from "../../src/topology/streams-builder.ts";
import { later, records, text, through, valuesOf } from "./streams.ts";

const mending: TopologyTestDriverOptions = { errors: { uncaught: () => "RETRY" } };

describe("an app that mends a broken session", () => {
  test.each([
    [
      "mapAsync",
      (scheduler: VirtualScheduler) => through((stream) => stream.mapAsync((value) => later(scheduler, 1_000, value))),
    ],
    [
      "mergeMap",
      (scheduler: VirtualScheduler) =>
        through((stream) => stream.mergeMap((value) => later(scheduler, 1_000, value), { concurrency: 1 })),
    ],
    [
      "mapBatch",
      (scheduler: VirtualScheduler) =>
        through((stream) => stream.batch({ maxSize: 1 }).mapBatch((values) => later(scheduler, 1_000, values))),
    ],
  ])("does the work of %s again, with all its concurrency", async (_, topology) => {
    const scheduler = new VirtualScheduler();
    await using driver = new TopologyTestDriver(topology(scheduler), { scheduler, ...mending });
    await driver.createInputTopic("IN", text).pipeRecords(records("a", "b"));
    driver.broker.faults.crash();
    await driver.advanceWallClockTime(10_000);
    expect(driver.app.state).toBe("RUNNING");
    expect(await valuesOf(driver.createOutputTopic("OUT", text))).toEqual(["a", "b"]);
    expect(driver.metrics).toMatchObject({ restarts: 1, inFlight: 0 });
    for (const node of driver.metrics.nodes.values()) expect(node).toMatchObject({ running: 0, held: 0, queued: 0 });
  });

  test("does not wait for inner Observables of the session that is gone", async () => {
    const never = new Subject<string>();
    let opened = 0;
    const topology = through((stream) =>
      stream.concatMap((value) => {
        opened += 1;
        return opened === 1 ? never : [value];
      }),
    );
    await using driver = new TopologyTestDriver(topology, mending);
    await driver.createInputTopic("IN", text).pipeRecords(records("a", "b"));
    driver.broker.faults.crash();
    await driver.advanceWallClockTime(10_000);
    expect(never.observed).toBe(false);
    expect(await valuesOf(driver.createOutputTopic("OUT", text))).toEqual(["a", "b"]);
  });

  test("gives up when it gets nowhere", async () => {
    await using driver = new TopologyTestDriver(
      through((stream) => stream),
      { ...mending, rejectOnError: false },
    );
    await driver.createInputTopic("IN", text).pipeRecords([]);
    for (let crash = 0; crash < 5; crash += 1) {
      driver.broker.faults.crash();
      await driver.advanceWallClockTime(20_000);
    }
    expect(driver.app.state).toBe("ERROR");
    expect(driver.metrics.restarts).toBe(4);
  });
});

test("a lane that is lost takes its queued work with it, and its results", async () => {
  const scheduler = new VirtualScheduler();
  const calls: string[] = [];
  const lines: string[] = [];
  const builder = new StreamsBuilder();
  builder
    .stream("IN", text)
    .mapAsync((value) => {
      calls.push(value);
      return later(scheduler, 100, value);
    })
    .print({ format: ({ value }) => value, write: (line) => void lines.push(line) });
  await using driver = new TopologyTestDriver(builder.build(), { scheduler });
  await driver.createInputTopic("IN", text).pipeRecords(records("a", "b", "c"));
  await driver.advanceWallClockTime(50);
  await driver.rebalance();
  await driver.advanceWallClockTime(50);
  expect(lines).toEqual([]);
  await driver.advanceWallClockTime(300);
  expect(lines).toEqual(["a", "b", "c"]);
  expect(calls).toEqual(["a", "a", "b", "c"]);
});
