import { describe, expect, test } from "vitest";
import type { Lane } from "../../../src/core/broker.ts";
import { Line } from "../../../src/core/line.ts";
import { exitWith } from "../../../src/operators/exits.ts";
import { process, type Held } from "../../../src/operators/process.ts";
import { VirtualScheduler } from "../../../src/testing/virtual-scheduler.ts";
import { Harness } from "./harness.ts";
import { processor, type Context } from "./processor.ts";

function lane(id: string): Lane & { readonly lose: () => void } {
  const abort = new AbortController();
  return { id, signal: abort.signal, lose: () => abort.abort() };
}

describe("process", () => {
  test("what is forwarded descends from the record; what is not is done", () => {
    const harness = new Harness();
    const running = harness.run(
      process(
        processor((context, record) => {
          if (record.value === "twice")
            for (const index of [1, 2]) context.forward(record.withValue(`${record.value}${index}`));
        }),
        harness.context,
      ),
    );
    running.put(harness.envelope("none"), harness.envelope("twice"));
    expect(harness.ended.settled).toEqual(["none"]);
    expect(running.values).toEqual(["twice1", "twice2"]);
    running.endAll();
    expect(harness.ended.settled).toEqual(["none", "twice"]);
  });

  test("one instance per lane, closed when the lane is lost", () => {
    const harness = new Harness();
    const [one, two] = [lane("one"), lane("two")];
    const lanes: (string | undefined)[] = [];
    const closed: (string | undefined)[] = [];
    const running = harness.run(
      process<string | null, string, string | null, string>(() => {
        let id: string | undefined;
        return {
          init: (context) => {
            id = context.lane;
            lanes.push(id);
          },
          process: () => {},
          close: () => void closed.push(id),
        };
      }, harness.context),
    );
    running.put(...[one, two, one].map((given) => harness.envelope("a", { lane: given })), harness.envelope("a"));
    expect(lanes).toEqual(["one", "two", undefined]);
    one.lose();
    expect(closed).toEqual(["one"]);
    running.stop();
    expect(closed).toEqual(["one", "two", undefined]);
  });

  test("holds make one record of several, which settles them all", () => {
    const harness = new Harness();
    let helds: Held[] = [];
    const running = harness.run(
      process(
        processor((context, record) => {
          helds.push(context.hold());
          if (helds.length < 3) return;
          context.forward(record.withValue("sum"), { from: helds });
          helds = [];
        }),
        harness.context,
      ),
    );
    running.put(...["a", "b", "c"].map((value) => harness.envelope(value)));
    expect(running.values).toEqual(["sum"]);
    expect(harness.ended.settled).toEqual([]);
    running.endAll();
    expect(harness.ended.settled).toEqual(["a", "b", "c"]);
    expect(harness.metrics.held).toBe(0);
  });

  test("a hold leaves the line: later records do not wait for it", () => {
    const harness = new Harness();
    const line = new Line();
    const left: unknown[] = [];
    const running = harness.run(
      process(
        processor((context, record) => {
          if (record.value === "kept") context.hold();
          else context.forward(record);
        }),
        harness.context,
      ),
    );
    const exits = harness.run(exitWith(({ value }) => void left.push(value), harness.context));
    running.put(harness.envelope("kept", { line }), harness.envelope("later", { line }));
    exits.put(...running.out);
    expect(left).toEqual(["later"]);
    expect(harness.metrics.held).toBe(1);
  });

  test("a drain gives back what is held", () => {
    const harness = new Harness();
    const running = harness.run(
      process(
        processor((context) => void context.hold()),
        harness.context,
      ),
    );
    running.put(harness.envelope("a"));
    harness.drain.abort();
    expect(harness.ended.released).toEqual(["a"]);
  });

  test("a lost lane releases its holds without an ack", () => {
    const harness = new Harness();
    const owner = { lost: false };
    const given = lane("one");
    const running = harness.run(
      process(
        processor((context) => void context.hold()),
        harness.context,
      ),
    );
    running.put(harness.envelope("a", { lane: given, owner }));
    owner.lost = true;
    given.lose();
    expect(harness.ended).toEqual({ settled: [], released: [], lost: ["a"] });
  });

  test("a schedule repeats until it is cancelled", () => {
    const scheduler = new VirtualScheduler(0);
    const harness = new Harness(scheduler);
    const times: number[] = [];
    let cancel: (() => void) | undefined;
    const running = harness.run(
      process<string | null, string, string | null, string>(
        () => ({
          init: (context) => (cancel = context.schedule(10, (now) => void times.push(now))),
          process: () => {},
        }),
        harness.context,
      ),
    );
    running.put(harness.envelope("a"));
    scheduler.advance(35);
    cancel?.();
    scheduler.advance(100);
    expect(times).toEqual([10, 20, 30]);
    expect(scheduler.pending).toBe(0);
  });

  test("a timer may forward what is held, and only that", () => {
    const scheduler = new VirtualScheduler(0);
    const harness = new Harness(scheduler);
    const running = harness.run(
      process<string | null, string, string | null, string>(() => {
        let context: Context | undefined;
        return {
          init: (given) => (context = given),
          process: (record) => {
            const held = context?.hold();
            context?.schedule(10, () => {
              if (held !== undefined) context?.forward(record.withValue("late"), { from: [held] });
            });
          },
        };
      }, harness.context),
    );
    running.put(harness.envelope("a"));
    scheduler.advance(10);
    expect(running.values).toEqual(["late"]);
    running.endAll();
    expect(harness.ended.settled).toEqual(["a"]);
    scheduler.advance(10);
    expect(harness.uncaught).toMatchObject([
      { code: "ERR_CONFIG", message: expect.stringContaining("a hold that has ended") },
    ]);
  });

  test("what process throws is a question, and its fresh holds are ended", () => {
    const harness = new Harness();
    const running = harness.run(
      process(
        processor((context) => {
          context.hold();
          throw new Error("no");
        }),
        harness.context,
      ),
    );
    const envelope = harness.envelope("a");
    running.put(envelope);
    expect(harness.questions).toHaveLength(1);
    expect(harness.metrics.held).toBe(0);
    envelope.lineage.done();
    expect(harness.ended.settled).toEqual(["a"]);
  });
});
