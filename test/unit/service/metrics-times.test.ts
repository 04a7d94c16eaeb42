import { describe, expect, test } from "vitest";
import { Arrivals } from "../../../src/core/arrivals.ts";
import { Histogram } from "../../../src/core/histogram.ts";
import { CallTimes } from "../../../src/operators/call-times.ts";
import { BusyWindow } from "../../../src/service/metrics/busy-window.ts";

test("a histogram counts a value in the first bucket whose bound it does not exceed", () => {
  const histogram = new Histogram([1, 10]);
  for (const value of [0.5, 1, 1.5, 10, 11]) histogram.observe(value);
  expect(histogram).toMatchObject({ counts: [2, 2, 1], sum: 24 });
});

describe("call times", () => {
  test("count overlapping calls once, and one that hangs up to now", () => {
    const calls = new CallTimes();
    calls.begin(0);
    calls.begin(5);
    expect(calls.end(0, 10)).toBe(10);
    expect(calls.occupiedMs(12)).toBe(12);
    calls.end(5, 15);
    expect(calls.occupiedMs(100)).toBe(15);
    calls.begin(100);
    expect(calls.occupiedMs(130)).toBe(45);
  });
});

describe("the busy window", () => {
  test("looks back half a minute", () => {
    let busyMs = 0;
    const busy = new BusyWindow(() => busyMs, 0);
    expect(busy.ratio(0)).toBe(0);
    busyMs = 5_000;
    expect(busy.ratio(10_000)).toBe(0.5);
    expect(busy.ratio(40_000)).toBe(0);
  });

  test("gives any number of readers the same", () => {
    let busyMs = 0;
    const busy = new BusyWindow(() => busyMs, 0);
    for (let now = 0; now <= 60_000; now += 100) {
      busyMs = now / 4;
      busy.ratio(now);
    }
    expect(busy.ratio(60_000)).toBe(0.25);
  });
});

describe("arrivals", () => {
  test("know the oldest in flight, in whatever order deliveries end", async () => {
    let now = 1;
    const arrivals = new Arrivals(() => now);
    const [first, second] = [arrivals.arrive(), arrivals.arrive()];
    await Promise.resolve();
    now = 2;
    const third = arrivals.arrive();
    await Promise.resolve();
    arrivals.leave(first);
    expect(arrivals.oldest).toBe(1);
    arrivals.leave(second);
    expect(arrivals.oldest).toBe(2);
    arrivals.leave(third);
    expect(arrivals.oldest).toBeUndefined();
  });

  test("read the clock once per turn, and what comes and goes in one leaves nothing", async () => {
    let reads = 0;
    const arrivals = new Arrivals(() => (reads += 1));
    for (let index = 0; index < 10; index += 1) arrivals.leave(arrivals.arrive());
    expect(arrivals.oldest).toBeUndefined();
    await Promise.resolve();
    expect(reads).toBe(1);
    expect(Object.values(arrivals)).toContainEqual(new Set());
  });
});
