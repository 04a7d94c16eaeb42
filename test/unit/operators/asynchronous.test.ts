import { concat, map as mapEach, of, Subject, throwError, timer } from "rxjs";
import { TestScheduler } from "rxjs/testing";
import { describe, expect, test } from "vitest";
import { concatMap } from "../../../src/operators/concat-map.ts";
import { mapAsync } from "../../../src/operators/map-async.ts";
import { mergeMap } from "../../../src/operators/merge-map.ts";
import { Harness, turn } from "./harness.ts";

function marbles(
  run: (helpers: Parameters<Parameters<TestScheduler["run"]>[0]>[0], scheduler: TestScheduler) => void,
): void {
  const scheduler = new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
  scheduler.run((helpers) => run(helpers, scheduler));
}

describe("mapAsync", () => {
  test("runs at most `concurrency` calls; results come in the order in which the calls end", async () => {
    const harness = new Harness();
    const ends = new Map<string, (value: string) => void>();
    const running = harness.run(
      mapAsync((value: string) => new Promise<string>((resolve) => ends.set(value, resolve)), 2, harness.context),
    );
    running.put(...["a", "b", "c"].map((value) => harness.envelope(value)));
    expect([...ends.keys()]).toEqual(["a", "b"]);
    expect(harness.metrics).toMatchObject({ running: 2, queued: 1 });
    ends.get("b")?.("B");
    await turn();
    expect(running.values).toEqual(["B"]);
    expect([...ends.keys()]).toEqual(["a", "b", "c"]);
    ends.get("c")?.("C");
    ends.get("a")?.("A");
    await turn();
    expect(running.values).toEqual(["B", "C", "A"]);
    expect(harness.metrics).toMatchObject({ running: 0, queued: 0 });
  });

  test.each([
    [
      "throws",
      (): Promise<string> => {
        throw new Error("no");
      },
    ],
    ["rejects", (): Promise<string> => Promise.reject(new Error("no"))],
  ])("a function that %s is a question, and its slot is free", async (_, project) => {
    const harness = new Harness();
    let calls = 0;
    const running = harness.run(
      mapAsync(
        (value: string) => {
          calls += 1;
          return calls === 1 ? project() : Promise.resolve(value);
        },
        1,
        harness.context,
      ),
    );
    running.put(harness.envelope("a"), harness.envelope("b"));
    await turn();
    expect(running.values).toEqual(["b"]);
    harness.questions[0]?.retry();
    await turn();
    expect(running.values).toEqual(["b", "a"]);
  });

  test("a long queue closes the valve until it is short again", async () => {
    const harness = new Harness();
    let open: (() => void) | undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const running = harness.run(mapAsync((value: number) => gate.then(() => value), 1, harness.context));
    for (let index = 0; index < 65; index += 1) running.put(harness.envelope(index));
    expect(harness.pressure.open).toBe(false);
    open?.();
    while (running.out.length < 65) await turn();
    expect(harness.pressure.open).toBe(true);
  });

  test("queued work of a lost lane is dropped", async () => {
    const harness = new Harness();
    const owner = { lost: false };
    const running = harness.run(mapAsync(async (value: string) => value, 1, harness.context));
    running.put(harness.envelope("a"), harness.envelope("b", { owner }));
    owner.lost = true;
    await turn();
    expect(running.values).toEqual(["a"]);
    expect(harness.ended.lost).toEqual(["b"]);
  });
});

describe("mergeMap", () => {
  test("each inner value is a record; at most `concurrency` are open", () => {
    marbles(({ cold, hot, expectObservable }, scheduler) => {
      const harness = new Harness(scheduler);
      const inner = cold("--x--y|");
      const source = hot("a-bc").pipe(mapEach((value) => harness.envelope(value)));
      const values = source.pipe(
        mergeMap(
          (value, record) => inner.pipe(mapEach((letter) => `${value}${letter}${record.position.slice(-1)}`)),
          2,
          harness.context,
        ),
        mapEach(({ record }) => record.value),
      );
      const names = { p: "ax0", q: "bx1", r: "ay0", s: "by1", t: "cx2", u: "cy2" };
      // c begins when a has ended, at frame 6.
      expectObservable(values).toBe("--p-qr-st--u", names);
    });
  });

  test("the record is settled when its inner Observable has completed and its children are done", () => {
    const harness = new Harness();
    const running = harness.run(mergeMap((value: string) => of(value, value), 1, harness.context));
    running.put(harness.envelope("a"));
    expect(running.values).toEqual(["a", "a"]);
    expect(harness.ended.settled).toEqual([]);
    running.endAll();
    expect(harness.ended.settled).toEqual(["a"]);
  });

  test("an empty inner Observable settles its record", () => {
    const harness = new Harness();
    harness.run(mergeMap(() => [], 1, harness.context)).put(harness.envelope("a"));
    expect(harness.ended.settled).toEqual(["a"]);
  });

  test("an inner error is a question; what was emitted stands", () => {
    const harness = new Harness();
    const running = harness.run(
      mergeMap(
        (value: string) =>
          concat(
            of(value),
            throwError(() => new Error("cut")),
          ),
        1,
        harness.context,
      ),
    );
    running.put(harness.envelope("a"), harness.envelope("b"));
    expect(running.values).toEqual(["a", "b"]);
    expect(harness.questions.map(({ cause }) => (cause as Error).message)).toEqual(["cut", "cut"]);
  });

  test("unsubscribes from its inner Observables at the end", () => {
    marbles(({ cold, expectSubscriptions, flush }, scheduler) => {
      const harness = new Harness(scheduler);
      const inner = cold("-----x|");
      const running = harness.run(mergeMap(() => inner, 1, harness.context));
      running.put(harness.envelope("a"));
      timer(3, scheduler).subscribe(() => running.stop());
      expectSubscriptions(inner.subscriptions).toBe("^--!");
      flush();
    });
  });
});

test("concatMap: one inner Observable at a time, in the order of arrival", () => {
  marbles(({ cold, hot, expectObservable }, scheduler) => {
    const harness = new Harness(scheduler);
    const source = hot("ab").pipe(mapEach((value) => harness.envelope(value)));
    const values = source.pipe(
      concatMap(
        (value) => (value === "a" ? cold("----x|") : cold("y|")).pipe(mapEach((letter) => `${value}${letter}`)),
        harness.context,
      ),
      mapEach(({ record }) => record.value),
    );
    expectObservable(values).toBe("----pq", { p: "ax", q: "by" });
  });
});

test("concatMap: a long queue of synchronous inner Observables is no deep stack", () => {
  const harness = new Harness();
  const first = new Subject<string>();
  const running = harness.run(concatMap((value: number) => (value === 0 ? first : of(String(value))), harness.context));
  for (let index = 0; index <= 20_000; index += 1) running.put(harness.envelope(index));
  first.complete();
  expect(running.out).toHaveLength(20_000);
  expect(running.values.at(-1)).toBe("20000");
});
