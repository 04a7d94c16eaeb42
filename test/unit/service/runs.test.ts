import { describe, expect, test } from "vitest";
import { Runs, type RunEvent } from "../../../src/service/runs.ts";

const problem = { code: "ERR_DECODE", message: "no" };
const slice = (start: number, count = 1): { start: number; predictions: string[]; scores: number[] } => ({
  start,
  predictions: Array.from({ length: count }, () => "Bag"),
  scores: Array.from({ length: count }, () => 1),
});

function runsAt(keep: number): { readonly runs: Runs; readonly events: RunEvent[]; now: number } {
  const clock = { now: 0 };
  const runs = new Runs(keep, () => clock.now);
  const events: RunEvent[] = [];
  runs.events.subscribe((event) => events.push(event));
  return Object.assign(clock, { runs, events });
}

describe("runs", () => {
  test("slices add up in any order, and those of before change nothing", () => {
    const { runs, events } = runsAt(10);
    const run = runs.begin("kafka", { start: 10, end: 16 });
    for (const start of [14, 10, 14, 12, 10]) runs.result("kafka", run.id, slice(start, 2));
    expect(run).toMatchObject({ status: "done", done: 6, total: 6 });
    expect(events.filter(({ kind }) => kind === "slice")).toHaveLength(3);
  });

  test("what lies outside of a run is left out", () => {
    const { runs } = runsAt(10);
    const run = runs.begin("kafka", { start: 10, end: 12 });
    runs.result("kafka", run.id, slice(8, 10));
    expect(run).toMatchObject({ status: "done", done: 2, start: 10, end: 12 });
    expect(run.predictions).toEqual(["Bag", "Bag"]);
  });

  test("a failed run is finished, a late answer makes it done and takes its problem away", () => {
    const { runs } = runsAt(10);
    const run = runs.begin("kafka", { start: 0, end: 2 });
    runs.failed(run, problem);
    expect(run).toMatchObject({ status: "failed", finished: true, problem });
    runs.result("kafka", run.id, slice(0));
    expect(run).toMatchObject({ status: "failed", finished: true });
    runs.result("kafka", run.id, slice(1));
    expect(run).toMatchObject({ status: "done", finished: true, problem: undefined });
    runs.failed(run, problem);
    expect(run.status).toBe("done");
  });

  test("forgets the oldest that is finished; when none is, the oldest", () => {
    const { runs } = runsAt(2);
    const [first, second] = [runs.begin("a", { start: 0, end: 1 }), runs.begin("a", { start: 0, end: 1 })];
    runs.result("a", second.id, slice(0));
    const third = runs.begin("a", { start: 0, end: 1 });
    expect(runs.list()).toEqual([third, first]);
    const fourth = runs.begin("a", { start: 0, end: 1 });
    expect(runs.list()).toEqual([fourth, third]);
  });

  test("lists what is older than a run that is forgotten", () => {
    const { runs } = runsAt(2);
    const all = Array.from({ length: 4 }, () => runs.begin("a", { start: 0, end: 1 }));
    expect(runs.list(all[3]?.number)).toEqual([all[2]]);
    expect(runs.list(all[0]?.number)).toEqual([]);
  });

  test("remembers a hundred dead letters, the newest first", () => {
    const { runs } = runsAt(1);
    for (let at = 0; at < 150; at += 1) {
      runs.deadLetter({ broker: "a", run: undefined, problem, node: "source", position: "a:T/0@1", value: "", at });
    }
    expect(runs.deadLetters).toHaveLength(100);
    expect(runs.deadLetters[0]?.at).toBe(149);
  });

  test("whoever waits is told of the end of the run, of its failure, or of the end of all", async () => {
    const { runs } = runsAt(10);
    const [done, failed, never] = Array.from({ length: 3 }, () => runs.begin("a", { start: 0, end: 1 }));
    if (done === undefined || failed === undefined || never === undefined) throw new Error("three runs were begun");
    const waits = [done, failed, never].map((run) => runs.whenFinished(run, 60_000));
    runs.result("a", done.id, slice(0));
    runs.failed(failed, problem);
    await Promise.all(waits.slice(0, 2));
    runs.close();
    await waits[2];
    await runs.whenFinished(never, 60_000); // nor does anyone wait who comes later
    expect([done.finished, failed.finished, never.finished]).toEqual([true, true, false]);
  });
});
