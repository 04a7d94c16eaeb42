import { describe, expect, test, vi } from "vitest";
import { batchMap } from "../../../src/operators/batch-map.ts";
import type { Envelope } from "../../../src/operators/envelope.ts";
import { VirtualScheduler } from "../../../src/testing/virtual-scheduler.ts";
import { Bench, nameOf } from "./batch-bench.ts";
import { Harness, turn } from "./harness.ts";

describe("batchMap", () => {
  test("what comes in one tick goes at once, in one batch; no timer is set", async () => {
    const scheduler = new VirtualScheduler();
    const schedule = vi.spyOn(scheduler, "schedule");
    const bench = new Bench({ maxSize: 10 }, new Harness(scheduler));
    bench.put([0, 1], [1, 2], [2, 3]);
    await turn();
    expect(bench.batches.map(({ values }) => values.map(nameOf))).toEqual([["0-1", "1-2", "2-3"]]);
    bench.batches[0]?.end();
    await turn();
    expect(bench.running.values).toEqual(["0-1", "1-2", "2-3"]);
    expect(schedule).not.toHaveBeenCalled();
  });

  test("what queues while a batch is under way is the next one, up to maxSize rows", async () => {
    const bench = new Bench({ maxSize: 256 });
    bench.put([0, 1]);
    await turn();
    for (let index = 1; index <= 300; index += 1) bench.put([index, index + 1]);
    await turn();
    expect(bench.sizes()).toEqual([1]);
    expect(bench.harness.metrics.queued).toBe(300);
    bench.batches[0]?.end();
    await turn();
    expect(bench.sizes()).toEqual([1, 256]);
    bench.batches[1]?.end();
    await turn();
    expect(bench.sizes()).toEqual([1, 256, 44]);
  });

  test("a long value is cut, and its outputs are put together in row order", async () => {
    const bench = new Bench({ maxSize: 4 });
    bench.put([0, 10]);
    for (let index = 0; index < 3; index += 1) {
      await turn();
      bench.batches[index]?.end();
    }
    await turn();
    expect(bench.sizes()).toEqual([4, 4, 2]);
    expect(bench.running.values).toEqual(["0-4|4-8|8-10"]);
    bench.running.endAll();
    expect(bench.harness.ended.settled).toHaveLength(1);
  });

  test("with two batches at a time, slices may end in any order", async () => {
    const bench = new Bench({ maxSize: 5, concurrency: 2 });
    bench.put([0, 10]);
    await turn();
    bench.batches[1]?.end();
    await turn();
    bench.batches[0]?.end();
    await turn();
    expect(bench.running.values).toEqual(["0-5|5-10"]);
  });

  test("one row behind ten thousand is in the next batch", async () => {
    const bench = new Bench({ maxSize: 256, maxQueuedWeight: 100_000 });
    bench.put([0, 10_000]);
    await turn();
    bench.put([7, 8]);
    bench.batches[0]?.end();
    await turn();
    expect(bench.batches[1]?.values.map(nameOf)).toContain("7-8");
    expect(bench.sizes()).toEqual([256, 256]);
  });

  test("values that can't be cut are never cut; one above maxSize goes alone", async () => {
    const harness = new Harness();
    const seen: number[][] = [];
    const running = harness.run(
      batchMap<null, number, number, number>(
        { maxSize: 4, rows: (value) => value },
        async (values) => {
          seen.push([...values]);
          return values;
        },
        (record, output) => record.withValue(output),
        harness.context,
      ),
    );
    running.put(...[3, 2, 9, 1].map((value) => harness.envelope(value) as Envelope<null, number>));
    while (running.out.length < 4) await turn();
    expect(seen).toEqual([[3], [2], [9], [1]]);
  });

  test("queued rows at the limit close the valve", async () => {
    const bench = new Bench({ maxSize: 2, maxQueuedWeight: 5 });
    bench.put([0, 2]);
    await turn();
    bench.put([0, 4]);
    expect(bench.harness.pressure.open).toBe(true);
    bench.put([4, 5]);
    expect(bench.harness.pressure.open).toBe(false);
    bench.batches[0]?.end();
    await turn();
    expect(bench.harness.pressure.open).toBe(true);
  });

  test("a failing batch is cut in halves until the guilty one is alone; the others' results stand", async () => {
    const harness = new Harness();
    const sizes: number[] = [];
    const running = harness.run(
      batchMap<string | null, number, number, number>(
        { maxSize: 64 },
        async (values) => {
          sizes.push(values.length);
          if (values.includes(13)) throw new Error("unlucky");
          return values.map((value) => value * 2);
        },
        (record, output) => record.withValue(output),
        harness.context,
      ),
    );
    running.put(...Array.from({ length: 64 }, (_, index) => harness.envelope(index)));
    while (running.out.length < 63) await turn();
    expect(running.values).not.toContain(26);
    expect(harness.questions.map(({ envelope }) => envelope.record.value)).toEqual([13]);
    expect(sizes.length).toBeLessThanOrEqual(1 + 2 * Math.log2(64));
  });

  test("RETRY sends the guilty one again", async () => {
    const bench = new Bench({ maxSize: 2 });
    bench.put([0, 1]);
    await turn();
    bench.batches[0]?.fail(new Error("crashed"));
    await turn();
    bench.harness.questions[0]?.retry();
    await turn();
    bench.batches[1]?.end();
    await turn();
    expect(bench.running.values).toEqual(["0-1"]);
  });

  test("a slice that fails asks once, and what is left of its value is not sent", async () => {
    const bench = new Bench({ maxSize: 4, maxQueuedWeight: 100 });
    bench.put([0, 40]);
    await turn();
    bench.batches[0]?.fail(new Error("no"));
    await turn();
    expect(bench.harness.questions).toHaveLength(1);
    expect(bench.sizes()).toEqual([4]);
    expect(bench.harness.metrics.queued).toBe(0);
  });

  test.each([0, 1.5, Number.NaN])("a value of %d rows is a question", async (rows) => {
    const bench = new Bench({ maxSize: 4, rows: () => rows });
    bench.put([0, 1]);
    await turn();
    expect(bench.harness.questions).toMatchObject([
      { cause: { message: expect.stringContaining("whole number of rows") } },
    ]);
    expect(bench.batches).toEqual([]);
  });

  test("another number of results than values is an error of the batch", async () => {
    const bench = new Bench({ maxSize: 4 });
    bench.put([0, 1]);
    await turn();
    bench.batches[0]?.end([]);
    await turn();
    expect(bench.harness.questions).toMatchObject([{ cause: { message: expect.stringContaining("got 0") } }]);
  });
});
