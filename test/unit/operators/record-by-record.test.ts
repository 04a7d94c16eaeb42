import { describe, expect, test } from "vitest";
import { Line } from "../../../src/core/line.ts";
import { branch } from "../../../src/operators/branch.ts";
import { exitWith } from "../../../src/operators/exits.ts";
import { filter } from "../../../src/operators/filter.ts";
import { map } from "../../../src/operators/map.ts";
import { peek } from "../../../src/operators/peek.ts";
import { Harness } from "./harness.ts";

describe("map", () => {
  test("gives the record that project makes, with the same share", () => {
    const harness = new Harness();
    const running = harness.run(map((record) => record.withKeyValue("k", `${String(record.value)}!`), harness.context));
    const envelope = harness.envelope("a");
    running.put(envelope);
    expect(running.out).toMatchObject([{ record: { key: "k", value: "a!", position: "test:T/0@0" } }]);
    expect(running.out[0]?.lineage).toBe(envelope.lineage);
    expect(harness.ended.settled).toEqual([]);
    running.endAll();
    expect(harness.ended.settled).toEqual(["a"]);
    expect(harness.metrics).toMatchObject({ processed: 1 });
  });

  test("asks the policy about what project throws, and tries again when told to", () => {
    const harness = new Harness();
    let fails = true;
    const running = harness.run(
      map((record) => {
        if (fails) throw new Error("once");
        return record;
      }, harness.context),
    );
    running.put(harness.envelope("a"));
    expect(running.out).toEqual([]);
    expect(harness.questions).toMatchObject([{ cause: { message: "once" } }]);
    fails = false;
    harness.questions[0]?.retry();
    expect(running.values).toEqual(["a"]);
  });

  test("does no work for a delivery that is over", () => {
    const harness = new Harness();
    const owner = { lost: false };
    let calls = 0;
    const running = harness.run(
      map((record) => {
        calls += 1;
        return record;
      }, harness.context),
    );
    const envelope = harness.envelope("a", { owner });
    owner.lost = true;
    running.put(envelope);
    expect(calls).toBe(0);
    expect(harness.ended.lost).toEqual(["a"]);
  });
});

describe("filter", () => {
  test("passes what is true and settles the rest", () => {
    const harness = new Harness();
    const running = harness.run(
      filter<string | null, number>((value, { key }) => value > 1 && key === null, harness.context),
    );
    running.put(harness.envelope(1), harness.envelope(2), harness.envelope(3, { key: "k" }));
    expect(running.values).toEqual([2]);
    expect(harness.ended.settled).toEqual([1, 3]);
  });

  test("a predicate that throws settles nothing", () => {
    const harness = new Harness();
    const running = harness.run(
      filter(() => {
        throw new Error("no");
      }, harness.context),
    );
    running.put(harness.envelope(1));
    expect(harness.ended.settled).toEqual([]);
    expect(harness.questions).toHaveLength(1);
  });
});

test("peek shows each record and passes it on", () => {
  const harness = new Harness();
  const seen: unknown[] = [];
  const running = harness.run(peek((value, { key }) => void seen.push([key, value]), harness.context));
  running.put(harness.envelope(1, { key: "k" }));
  expect(seen).toEqual([["k", 1]]);
  expect(running.values).toEqual([1]);
});

describe("branch", () => {
  const isBig = (value: number): boolean => value > 10;
  const isOdd = (value: number): boolean => value % 2 === 1;

  test("marks a record with the first predicate that is true, else with the default", () => {
    const harness = new Harness();
    const running = harness.run(branch<string | null, number>([isBig, isOdd], 2, harness.context));
    running.put(...[11, 20, 3, 4].map((value) => harness.envelope(value)));
    expect(running.out.map(({ branch: index }) => index)).toEqual([0, 0, 1, 2]);
  });

  test("settles what no branch takes", () => {
    const harness = new Harness();
    const running = harness.run(branch<string | null, number>([isBig], undefined, harness.context));
    running.put(harness.envelope(1), harness.envelope(11));
    expect(running.values).toEqual([11]);
    expect(harness.ended.settled).toEqual([1]);
  });
});

describe("an exit", () => {
  test("settles when its action has returned, or its promise resolved", async () => {
    const harness = new Harness();
    let resolve: (() => void) | undefined;
    const promise = new Promise<void>((done) => (resolve = done));
    const running = harness.run(
      exitWith<string | null, string>(({ value }) => (value === "slow" ? promise : undefined), harness.context),
    );
    running.put(harness.envelope("slow"), harness.envelope("quick"));
    expect(harness.ended.settled).toEqual(["quick"]);
    expect(harness.leaving).toBe(1);
    resolve?.();
    await promise;
    expect(harness.ended.settled).toEqual(["quick", "slow"]);
    expect(harness.leaving).toBe(0);
  });

  test("waits for its turn in the line", () => {
    const harness = new Harness();
    const line = new Line();
    const acted: unknown[] = [];
    const running = harness.run(exitWith(({ value }) => void acted.push(value), harness.context));
    const first = harness.envelope("first", { line });
    const second = harness.envelope("second", { line });
    running.put(second);
    expect(acted).toEqual([]);
    running.put(first);
    expect(acted).toEqual(["first", "second"]);
    expect(harness.ended.settled).toEqual(["first", "second"]);
  });

  test("that fails asks the policy, and nothing of its line overtakes it meanwhile", () => {
    const harness = new Harness();
    const line = new Line();
    const acted: unknown[] = [];
    let fails = true;
    const running = harness.run(
      exitWith(({ value }) => {
        if (value === "first" && fails) throw new Error("full");
        acted.push(value);
      }, harness.context),
    );
    running.put(harness.envelope("first", { line }), harness.envelope("second", { line }));
    expect(acted).toEqual([]);
    expect(harness.questions).toMatchObject([{ cause: { message: "full" } }]);
    fails = false;
    harness.questions[0]?.retry();
    expect(acted).toEqual(["first", "second"]);
  });
});
