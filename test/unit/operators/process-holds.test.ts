import { describe, expect, test } from "vitest";
import { Line } from "../../../src/core/line.ts";
import { exitWith } from "../../../src/operators/exits.ts";
import type { Envelope } from "../../../src/operators/envelope.ts";
import { process, type Held } from "../../../src/operators/process.ts";
import { VirtualScheduler } from "../../../src/testing/virtual-scheduler.ts";
import { Harness, type Running } from "./harness.ts";
import { processor, type Context, type TextProcessor } from "./processor.ts";

type Text = Envelope<string | null, string>;
type Work = (context: Context, record: Text["record"]) => void;

function run(harness: Harness, work: Work, extra: Partial<TextProcessor> = {}): Running<Text, Text> {
  return harness.run(process(processor(work, extra), harness.context));
}

describe("a hold", () => {
  test("that ends within its own call settles once", () => {
    const harness = new Harness();
    run(harness, (context) => context.hold().done()).put(harness.envelope("a"));
    expect(harness.ended).toEqual({ settled: ["a"], released: [], lost: [] });
  });

  test("may be taken twice: both must end", () => {
    const harness = new Harness();
    const holds: Held[] = [];
    run(harness, (context) => holds.push(context.hold(), context.hold())).put(harness.envelope("a"));
    holds[0]?.done();
    holds[0]?.done();
    expect(harness.ended.settled).toEqual([]);
    holds[1]?.done();
    expect(harness.ended.settled).toEqual(["a"]);
    expect(harness.metrics.held).toBe(0);
  });

  test("gives its delivery back when it is released", () => {
    const harness = new Harness();
    const holds: Held[] = [];
    run(harness, (context) => holds.push(context.hold())).put(harness.envelope("a"));
    holds[0]?.release(new Error("not today"));
    expect(harness.ended.released).toEqual(["a"]);
  });

  test("taken during a drain is given back at once", () => {
    const harness = new Harness();
    const running = run(harness, (context) => void context.hold());
    harness.drain.abort();
    running.put(harness.envelope("a"));
    expect(harness.ended.released).toEqual(["a"]);
  });

  test("is given back when its stream is unsubscribed: nothing is acked that was not done", () => {
    const harness = new Harness();
    const running = run(harness, (context) => void context.hold());
    running.put(harness.envelope("a"));
    running.stop();
    expect(harness.ended).toEqual({ settled: [], released: ["a"], lost: [] });
  });

  test("needs a record", () => {
    const harness = new Harness();
    let context: Context | undefined;
    run(harness, () => {}, { init: (given) => (context = given) }).put(harness.envelope("a"));
    expect(() => context?.hold()).toThrow("node: there is no record to hold outside process()");
  });
});

describe("forward from holds", () => {
  test("one record made of several: its failure is a failure of each, its id one of its own", () => {
    const harness = new Harness();
    let holds: Held[] = [];
    const running = run(harness, (context, record) => {
      context.forward(record.withValue("part"));
      holds.push(context.hold());
      if (holds.length < 2) return;
      context.forward(record.withValue("sum"), { from: holds });
      holds = [];
    });
    const [a, b] = [harness.envelope("a"), harness.envelope("b")];
    running.put(a, b);
    const paths = running.out.map(({ record, lineage }) => [record.value, `${record.position}${lineage.path}`]);
    expect(new Set(paths.map(([, path]) => path)).size).toBe(3);
    const sum = running.out.find(({ record }) => record.value === "sum");
    sum?.lineage.fail("later", new Error("no"));
    for (const { root } of [a.lineage, b.lineage]) {
      expect([...(root.failures?.values() ?? [])]).toMatchObject([{ node: "later", paths: ["/1"] }]);
    }
    for (const { record, lineage } of running.out) if (record.value === "part") lineage.done();
    expect(harness.ended.settled).toEqual(["a", "b"]);
  });

  test("given back, it gives all of them back", () => {
    const harness = new Harness();
    const holds: Held[] = [];
    const running = run(harness, (context, record) => {
      holds.push(context.hold());
      if (holds.length === 2) context.forward(record, { from: holds });
    });
    running.put(harness.envelope("a"), harness.envelope("b"));
    running.out[0]?.lineage.release(new Error("no"));
    expect(harness.ended.released).toEqual(["a", "b"]);
  });

  test("takes a hold once, however often it is named", () => {
    const harness = new Harness();
    const running = run(harness, (context, record) => {
      const held = context.hold();
      context.forward(record, { from: [held, held] });
    });
    running.put(harness.envelope("a"));
    running.endAll();
    expect(harness.ended.settled).toEqual(["a"]);
  });

  test("a hold that has ended is a mistake, and the others stay held", () => {
    const harness = new Harness();
    const holds: Held[] = [];
    const running = run(harness, (context, record) => {
      holds.push(context.hold());
      if (record.value !== "b") return;
      holds[0]?.done();
      context.forward(record, { from: [holds[1]!, holds[0]!] });
    });
    const b = harness.envelope("b");
    running.put(harness.envelope("a"), b);
    expect(harness.questions).toMatchObject([
      { cause: { message: "node: a hold that has ended can't be used again" } },
    ]);
    b.lineage.done(); // what CONTINUE does
    expect(harness.ended.settled).toEqual(["a", "b"]);
    expect(harness.metrics.held).toBe(0);
  });

  test.each([
    [
      "outside process, without holds",
      (context: Context, record: Text["record"]) => context.forward(record),
      /outside process\(\)/,
    ],
    [
      "from no holds",
      (context: Context, record: Text["record"]) => context.forward(record, { from: [] }),
      /from is empty/,
    ],
  ])("%s is a mistake", (_, forward, message) => {
    const harness = new Harness();
    let call: (() => void) | undefined;
    run(harness, (context, record) => (call = () => forward(context, record))).put(harness.envelope("a"));
    expect(() => call?.()).toThrow(
      expect.objectContaining({ code: "ERR_CONFIG", message: expect.stringMatching(message) }),
    );
  });

  test("a timer that comes after the drain forwards nothing, and is no mistake", () => {
    const scheduler = new VirtualScheduler(0);
    const harness = new Harness(scheduler);
    const running = run(harness, (context, record) => {
      const from = [context.hold()];
      context.schedule(10, () => context.forward(record, { from }));
    });
    running.put(harness.envelope("a"));
    harness.drain.abort();
    scheduler.advance(10);
    expect(running.values).toEqual([]);
    expect(harness.uncaught).toEqual([]);
    expect(harness.ended.released).toEqual(["a"]);
  });

  test("stands in the line before the record in whose call it was made, else at the end", () => {
    const scheduler = new VirtualScheduler(0);
    const harness = new Harness(scheduler);
    const line = new Line();
    const left: unknown[] = [];
    const running = run(harness, (context, record) => {
      const held = context.hold();
      if (record.value === "first")
        context.schedule(10, () => context.forward(record.withValue("timer"), { from: [held] }));
      else context.forward(record.withValue("joined"), { from: [held] });
    });
    const exits = harness.run(exitWith(({ value }) => void left.push(value), harness.context));
    const [first, second, third] = ["first", "second", "third"].map((value) => harness.envelope(value, { line }));
    running.put(first!, second!);
    scheduler.advance(10);
    const [joined, timer] = running.out;
    exits.put(timer!);
    exits.put(joined!);
    expect(left).toEqual(["joined"]); // before the third, which stood in the line already
    exits.put(third!);
    expect(left).toEqual(["joined", "third", "timer"]);
  });
});

describe("schedule", () => {
  test.each([0, -1, Number.NaN])("refuses an interval of %d ms", (intervalMs) => {
    const harness = new Harness();
    run(harness, (context) => void context.schedule(intervalMs, () => {})).put(harness.envelope("a"));
    expect(harness.questions).toMatchObject([{ cause: { code: "ERR_CONFIG" } }]);
  });

  test("what it throws is uncaught, and it does not go on", () => {
    const scheduler = new VirtualScheduler(0);
    const harness = new Harness(scheduler);
    run(harness, (context) => {
      context.schedule(10, () => {
        throw new Error("tick");
      });
    }).put(harness.envelope("a"));
    scheduler.advance(100);
    expect(harness.uncaught).toMatchObject([{ message: "tick" }]);
  });

  test("ends with its lane", () => {
    const scheduler = new VirtualScheduler(0);
    const harness = new Harness(scheduler);
    const abort = new AbortController();
    let ticks = 0;
    const running = run(harness, (context) => void context.schedule(10, () => (ticks += 1)));
    running.put(harness.envelope("a", { lane: { id: "lane", signal: abort.signal } }));
    scheduler.advance(10);
    abort.abort();
    scheduler.advance(100);
    expect(ticks).toBe(1);
  });
});

test("a close that throws is uncaught", () => {
  const harness = new Harness();
  const running = run(harness, () => {}, {
    close: () => {
      throw new Error("stuck");
    },
  });
  running.put(harness.envelope("a"));
  running.stop();
  expect(harness.uncaught).toMatchObject([{ message: "stuck" }]);
});
