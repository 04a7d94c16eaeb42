import { describe, expect, test } from "vitest";
import { Line } from "../../../src/core/line.ts";
import type { StreamRecord } from "../../../src/core/record.ts";
import { exitWith } from "../../../src/operators/exits.ts";
import { flatMap, type Fan } from "../../../src/operators/flat-map.ts";
import { Harness } from "./harness.ts";

type Source = StreamRecord<string | null, Iterable<unknown>>;

/** A record's value is its iterable. */
const fan: Fan<string | null, Iterable<unknown>, unknown, string | null, unknown> = {
  project: (record: Source) => record.value,
  wrap: (value, record) => record.withValue(value),
};

function* count(to: number, pulled: { value: number }): Generator<number> {
  for (let value = 0; value < to; value += 1) {
    pulled.value += 1;
    yield value;
  }
}

describe("flatMap", () => {
  test.each([
    ["an array", ["a", "b"]],
    ["a set", new Set(["a", "b"])],
    ["a long array", Array.from({ length: 100 }, (_, index) => index)],
  ])("%s: the children in order; the record is settled when all of them are", (_, values) => {
    const harness = new Harness();
    const running = harness.run(flatMap(fan, harness.context));
    running.put(harness.envelope<Iterable<unknown>>(values));
    expect(running.values).toEqual([...values]);
    expect(running.out.map(({ lineage }) => lineage.path)).toEqual([...values].map((__, index) => `/${index}`));
    const [first, ...rest] = running.out;
    for (const { lineage } of rest) lineage.done();
    expect(harness.ended.settled).toEqual([]);
    first?.lineage.done();
    expect(harness.ended.settled).toEqual([values]);
  });

  test("no children: the record is settled", () => {
    const harness = new Harness();
    harness.run(flatMap(fan, harness.context)).put(harness.envelope<Iterable<unknown>>([]));
    expect(harness.ended.settled).toEqual([[]]);
  });

  test("a million children are pulled only as there is room, and go on when there is", () => {
    const harness = new Harness();
    const pulled = { value: 0 };
    const running = harness.run(flatMap(fan, harness.context));
    harness.pressure.raise();
    running.put(harness.envelope<Iterable<unknown>>(count(1_000_000, pulled)));
    expect(pulled.value).toBe(0);
    const received: unknown[] = [];
    const limited = new Harness();
    const narrow = limited.run(
      flatMap(
        {
          ...fan,
          wrap: (value, record: Source) => {
            received.push(value);
            if (received.length % 10 === 0) limited.pressure.raise();
            return record.withValue(value);
          },
        },
        limited.context,
      ),
    );
    narrow.put(limited.envelope<Iterable<unknown>>(count(1_000_000, pulled)));
    expect([received.length, pulled.value]).toEqual([10, 10]);
    limited.pressure.relieve();
    expect([received.length, pulled.value]).toEqual([20, 20]);
    expect(limited.metrics.queued).toBe(1);
  });

  test("records that wait take turns; those of one line go one after the other", () => {
    const harness = new Harness();
    const line = new Line();
    const running = harness.run(flatMap(fan, harness.context));
    harness.pressure.raise();
    running.put(
      harness.envelope<Iterable<unknown>>(["a1", "a2", "a3"], { line }),
      harness.envelope<Iterable<unknown>>(["b1"], { line }),
      harness.envelope<Iterable<unknown>>(["c1", "c2"]),
    );
    harness.pressure.relieve();
    expect(running.values).toEqual(["a1", "c1", "a2", "c2", "a3", "b1"]);
  });

  test("a record passes a full buffer that holds nothing of its flow", () => {
    const harness = new Harness();
    const line = new Line();
    const running = harness.run(flatMap(fan, harness.context));
    harness.pressure.raise((flow) => flow === line);
    running.put(
      harness.envelope<Iterable<unknown>>(["long"], { line }),
      harness.envelope<Iterable<unknown>>(["short"]),
    );
    expect(running.values).toEqual(["short"]);
  });

  test("when pulling fails, RETRY passes over the children that went out", () => {
    const harness = new Harness();
    let fails = true;
    const iterable: Iterable<string> = {
      *[Symbol.iterator]() {
        yield "a";
        if (fails) throw new Error("torn");
        yield "b";
      },
    };
    const running = harness.run(flatMap(fan, harness.context));
    running.put(harness.envelope<Iterable<unknown>>(iterable));
    expect(running.values).toEqual(["a"]);
    fails = false;
    harness.questions[0]?.retry();
    expect(running.values).toEqual(["a", "b"]);
    running.endAll();
    expect(harness.ended.settled).toHaveLength(1);
  });

  test("what is left of a lost lane is dropped, and a generator gets to its end", () => {
    const harness = new Harness();
    const owner = { lost: false };
    let finished = false;
    function* generate(): Generator<number> {
      try {
        for (;;) yield 1;
      } finally {
        finished = true;
      }
    }
    const running = harness.run(
      flatMap(
        {
          ...fan,
          wrap: (value, record: Source) => {
            harness.pressure.raise();
            return record.withValue(value);
          },
        },
        harness.context,
      ),
    );
    running.put(harness.envelope<Iterable<unknown>>(generate(), { owner }));
    expect(running.values).toEqual([1]);
    owner.lost = true;
    harness.pressure.relieve();
    expect(running.values).toEqual([1]);
    expect(finished).toBe(true);
    running.endAll();
    expect(harness.ended.lost).toHaveLength(1);
  });

  test("children leave in the order of their making, whatever order they end in", () => {
    const harness = new Harness();
    const line = new Line();
    const running = harness.run(flatMap(fan, harness.context));
    running.put(
      harness.envelope<Iterable<unknown>>(["a", "b"], { line }),
      harness.envelope<Iterable<unknown>>(["c"], { line }),
    );
    const left: unknown[] = [];
    const exits = harness.run(exitWith(({ value }) => void left.push(value), harness.context));
    const [a, b, c] = running.out;
    if (a === undefined || b === undefined || c === undefined) throw new Error("three children");
    exits.put(c, b);
    expect(left).toEqual([]);
    exits.put(a);
    expect(left).toEqual(["a", "b", "c"]);
  });
});
