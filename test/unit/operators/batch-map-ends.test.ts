import { describe, expect, test } from "vitest";
import { Line } from "../../../src/core/line.ts";
import { VirtualScheduler } from "../../../src/testing/virtual-scheduler.ts";
import { Bench, nameOf } from "./batch-bench.ts";
import { Harness, turn } from "./harness.ts";

describe("a value whose slices are in several batches", () => {
  test("that fails twice asks once", async () => {
    const bench = new Bench({ maxSize: 4, concurrency: 2 });
    bench.put([0, 8]);
    await turn();
    for (const batch of bench.batches) batch.fail(new Error("no"));
    await turn();
    expect(bench.harness.questions).toHaveLength(1);
  });

  test("that fails in one and is answered in another gives nothing", async () => {
    const bench = new Bench({ maxSize: 4, concurrency: 2 });
    bench.put([0, 8]);
    await turn();
    bench.batches[0]?.fail(new Error("no"));
    await turn();
    bench.batches[1]?.end();
    await turn();
    expect(bench.running.values).toEqual([]);
    expect(bench.harness.questions).toHaveLength(1);
  });

  test("that is tried again is not mixed with what the first attempt still answers", async () => {
    const bench = new Bench({ maxSize: 4, concurrency: 2 });
    bench.put([0, 8]);
    await turn();
    bench.batches[0]?.fail(new Error("no"));
    await turn();
    bench.harness.questions[0]?.retry();
    await turn();
    bench.batches[1]?.end(["stale"]);
    await turn();
    for (const batch of bench.batches.slice(2)) batch.end();
    await turn();
    for (const batch of bench.batches.slice(3)) batch.end();
    await turn();
    expect(bench.running.values).toEqual(["0-4|4-8"]);
  });

  test("ends once when its lane is lost with one under way", async () => {
    const bench = new Bench({ maxSize: 4, concurrency: 2 });
    const owner = { lost: false };
    bench.running.put(bench.harness.envelope({ from: 0, to: 20 }, { owner }));
    await turn();
    owner.lost = true;
    bench.batches[0]?.end();
    await turn();
    expect(bench.harness.ended.lost).toEqual([]); // the second batch still holds it
    bench.batches[1]?.end();
    await turn();
    expect(bench.sizes()).toEqual([4, 4]);
    expect(bench.running.values).toEqual([]);
    expect(bench.harness.ended.lost).toHaveLength(1);
    expect(bench.harness.metrics).toMatchObject({ queued: 0, running: 0 });
  });
});

describe("batchMap, at its ends", () => {
  test("queued values of a lost lane are dropped", async () => {
    const bench = new Bench({ maxSize: 1 });
    const owner = { lost: false };
    bench.put([0, 1]);
    bench.running.put(bench.harness.envelope({ from: 5, to: 6 }, { owner }));
    await turn();
    owner.lost = true;
    bench.batches[0]?.end();
    await turn();
    expect(bench.sizes()).toEqual([1]);
    expect(bench.harness.ended.lost).toHaveLength(1);
    expect(bench.harness.metrics.queued).toBe(0);
  });

  test("values of two lines take turns; within a line they keep their order", async () => {
    const bench = new Bench({ maxSize: 2, maxQueuedWeight: 100 });
    const [one, two] = [new Line(), new Line()];
    const put = (from: number, line: Line): void =>
      bench.running.put(bench.harness.envelope({ from, to: from + 1 }, { line }));
    for (const from of [10, 11, 12]) put(from, one);
    for (const from of [20, 21]) put(from, two);
    for (let index = 0; index < 3; index += 1) {
      await turn();
      bench.batches[index]?.end();
    }
    expect(bench.batches.map(({ values }) => values.map(nameOf))).toEqual([
      ["10-11", "20-21"],
      ["11-12", "21-22"],
      ["12-13"],
    ]);
  });
});

describe("maxWaitMs", () => {
  test("an idle engine waits for a full batch, and no longer", async () => {
    const scheduler = new VirtualScheduler();
    const bench = new Bench({ maxSize: 3, maxWaitMs: 50 }, new Harness(scheduler));
    bench.put([0, 1]);
    await turn();
    scheduler.advance(49);
    await turn();
    expect(bench.batches).toEqual([]);
    bench.put([1, 2]);
    await turn();
    scheduler.advance(1);
    await turn();
    expect(bench.sizes()).toEqual([2]);
    bench.batches[0]?.end();
    await turn();
    bench.put([0, 3]);
    await turn();
    expect(bench.sizes()).toEqual([2, 3]);
    expect(scheduler.pending).toBe(0);
  });

  test("a drain ends the wait", async () => {
    const bench = new Bench({ maxSize: 3, maxWaitMs: 50 }, new Harness(new VirtualScheduler()));
    bench.put([0, 1]);
    await turn();
    bench.harness.drain.abort();
    await turn();
    expect(bench.sizes()).toEqual([1]);
  });

  test("what a full batch left behind waits anew", async () => {
    const scheduler = new VirtualScheduler();
    const bench = new Bench({ maxSize: 3, maxWaitMs: 50 }, new Harness(scheduler));
    bench.put([0, 1]);
    await turn();
    scheduler.advance(40);
    bench.put([1, 4]);
    await turn();
    expect(bench.sizes()).toEqual([3]);
    bench.batches[0]?.end();
    await turn();
    scheduler.advance(49);
    await turn();
    expect(bench.sizes()).toEqual([3]);
    scheduler.advance(1);
    await turn();
    expect(bench.sizes()).toEqual([3, 1]);
  });
});
