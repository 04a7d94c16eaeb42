import { describe, expect, test } from "vitest";
import { TopologyTestDriver, VirtualScheduler } from "../../src/testing/index.ts";
import { StreamsBuilder } from "../../src/topology/streams-builder.ts";
import { later, records, text, through, valuesOf } from "./streams.ts";

/** Takes as many milliseconds as the number at the end of the value. */
function waitOf(value: string): number {
  return Number(/\d+$/.exec(value)?.[0] ?? 0);
}

function slowTopology(scheduler: VirtualScheduler, ordered: "partition" | "key" | false): ReturnType<typeof through> {
  return through((stream) =>
    stream.mapAsync((value) => later(scheduler, waitOf(value), value), { concurrency: 16, ordered }),
  );
}

async function run(ordered: "partition" | "key" | false): Promise<string[]> {
  const scheduler = new VirtualScheduler();
  await using driver = new TopologyTestDriver(slowTopology(scheduler, ordered), { scheduler });
  await driver.createInputTopic("IN", text).pipeRecords([
    { key: "a", value: "a30" },
    { key: "b", value: "b20" },
    { key: "a", value: "a10" },
    { key: null, value: "null5" },
    { key: "b", value: "b1" },
  ]);
  await driver.advanceWallClockTime(30);
  return await valuesOf(driver.createOutputTopic("OUT", text));
}

describe("order", () => {
  test("of a partition is restored at the sink", async () => {
    expect(await run("partition")).toEqual(["a30", "b20", "a10", "null5", "b1"]);
  });

  test("of a key is kept, and a null key has none", async () => {
    expect(await run("key")).toEqual(["null5", "b20", "b1", "a30", "a10"]);
  });

  test("may be given up", async () => {
    expect(await run(false)).toEqual(["b1", "null5", "a10", "b20", "a30"]);
  });

  test("is kept for keys of any length", async () => {
    const scheduler = new VirtualScheduler();
    await using driver = new TopologyTestDriver(slowTopology(scheduler, "key"), { scheduler });
    const key = "k".repeat(500_000);
    await driver.createInputTopic("IN", text).pipeRecords([
      { key, value: "first20" },
      { key, value: "second10" },
      { key: `${key}!`, value: "other5" },
    ]);
    await driver.advanceWallClockTime(20);
    expect(await valuesOf(driver.createOutputTopic("OUT", text))).toEqual(["other5", "first20", "second10"]);
  });

  test("survives a branch, a slow node and a merge", async () => {
    const scheduler = new VirtualScheduler();
    const topology = through((stream) => {
      const branches = stream
        .split({ name: "by-" })
        .branch((value) => value.startsWith("slow"), { name: "slow" })
        .defaultBranch({ name: "fast" });
      const slow = branches
        .get("by-slow")
        .mapAsync((value) => later(scheduler, waitOf(value), value), { concurrency: 4 });
      return slow.merge(branches.get("by-fast"));
    });
    await using driver = new TopologyTestDriver(topology, { scheduler });
    await driver.createInputTopic("IN", text).pipeRecords(records("slow20", "fast", "slow10", "fast too"));
    await driver.advanceWallClockTime(20);
    expect(await valuesOf(driver.createOutputTopic("OUT", text))).toEqual(["slow20", "fast", "slow10", "fast too"]);
  });

  test("of what one record became is that of its making, through a fan-out and its merge", async () => {
    const scheduler = new VirtualScheduler();
    const topology = through((stream) => {
      const parts = stream.flatMapValues((value) => value.split(","));
      const slow = parts.mapAsync((value) => later(scheduler, waitOf(value), `slow ${value}`), { concurrency: 16 });
      return slow.merge(parts.mapValues((value) => `fast ${value}`));
    });
    await using driver = new TopologyTestDriver(topology, { scheduler });
    await driver.createInputTopic("IN", text).pipeRecords(records("a30,b10", "c1"));
    await driver.advanceWallClockTime(30);
    expect(await valuesOf(driver.createOutputTopic("OUT", text))).toEqual([
      "slow a30",
      "fast a30",
      "slow b10",
      "fast b10",
      "slow c1",
      "fast c1",
    ]);
  });

  test("is kept when writes fail for a while", async () => {
    await using driver = new TopologyTestDriver(
      through((stream) => stream.flatMapValues((value) => [value, `${value}!`])),
    );
    let refused = 0;
    driver.broker.faults.refuseWrites(({ topic }) => {
      if (topic !== "OUT" || refused >= 3) return undefined;
      refused += 1;
      return { message: "no leader", retryable: true };
    });
    await driver.createInputTopic("IN", text).pipeRecords(records("a", "b"));
    await driver.advanceWallClockTime(1_000);
    expect(refused).toBe(3);
    expect(await valuesOf(driver.createOutputTopic("OUT", text))).toEqual(["a", "a!", "b", "b!"]);
  });

  test("is kept when several printed lines fail after all of them were begun", async () => {
    const scheduler = new VirtualScheduler();
    const builder = new StreamsBuilder();
    const lines: string[] = [];
    const attempts = new Map<string, number>();
    builder.stream("IN", text).print({
      onError: "RETRY",
      format: ({ value }) => value,
      write: async (line) => {
        const attempt = (attempts.get(line) ?? 0) + 1;
        attempts.set(line, attempt);
        await later(scheduler, 10, undefined);
        if (attempt === 1) throw new Error("terminal is gone");
        lines.push(line);
      },
    });
    await using driver = new TopologyTestDriver(builder.build(), { scheduler });
    await driver.createInputTopic("IN", text).pipeRecords(records("a", "b", "c"));
    await driver.advanceWallClockTime(10);
    await driver.createInputTopic("IN", text).pipeRecords(records("d"));
    await driver.advanceWallClockTime(1_000);
    expect(lines).toEqual(["a", "b", "c", "d"]);
  });
});
