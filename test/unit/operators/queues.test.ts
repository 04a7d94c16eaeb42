import { describe, expect, test } from "vitest";
import { BatchQueue } from "../../../src/operators/batch-queue.ts";
import { FairQueue } from "../../../src/core/fair-queue.ts";
import { Pressure } from "../../../src/operators/pressure.ts";
import { Threshold } from "../../../src/operators/threshold.ts";
import { Harness } from "./harness.ts";

describe("a fair queue", () => {
  test("first in, first out within a flow; turns between flows", () => {
    const queue = new FairQueue<string>();
    const [a, b] = [{}, {}];
    for (const item of ["a1", "a2", "a3"]) queue.add(item, a);
    for (const item of ["b1", "b2"]) queue.add(item, b);
    expect([...queue.drain()]).toEqual(["a1", "b1", "a2", "b2", "a3"]);
    expect([queue.size, queue.width, queue.peek(), queue.shift()]).toEqual([0, 0, undefined, undefined]);
  });

  test("rotate passes the turn on without taking", () => {
    const queue = new FairQueue<string>();
    queue.add("a", {});
    queue.add("b", {});
    queue.rotate();
    expect(queue.peek()).toBe("b");
    expect(queue.size).toBe(2);
  });

  test("a long flow is read in order to its end", () => {
    const queue = new FairQueue<number>();
    const flow = {};
    for (let index = 0; index < 5_000; index += 1) queue.add(index, flow);
    expect([...queue.drain()]).toEqual(Array.from({ length: 5_000 }, (_, index) => index));
  });
});

describe("the valve", () => {
  test("turns are taken in rotation, and only while it is open", () => {
    const pressure = new Pressure();
    const log: string[] = [];
    const worker = (name: string, times: number) => (): boolean => {
      log.push(name);
      times -= 1;
      if (log.length === 3) pressure.raise();
      return times > 0;
    };
    pressure.raise();
    pressure.ask(worker("a", 3));
    pressure.ask(worker("b", 2));
    expect(log).toEqual([]);
    pressure.relieve();
    expect(log).toEqual(["a", "b", "a"]);
    pressure.relieve();
    expect(log).toEqual(["a", "b", "a", "b", "a"]);
  });

  test("it is open when nothing is full any more", () => {
    const pressure = new Pressure();
    const [one, two] = [new Threshold(2, pressure), new Threshold(5, pressure)];
    one.measure(2);
    two.measure(7);
    two.measure(8);
    two.measure(4);
    expect(pressure.open).toBe(false);
    one.measure(1);
    expect(pressure.open).toBe(true);
  });
});

describe("a batch queue", () => {
  test("each flow gets an equal share, and neighbouring rows of one value are one part", () => {
    const harness = new Harness();
    const queue = new BatchQueue<string | null, string, string>(true);
    queue.add(harness.envelope("long"), 1_000);
    queue.add(harness.envelope("short"), 2);
    const parts = queue.take(100).map(({ item, from, to }) => [item.envelope.record.value, from, to]);
    expect(parts).toEqual([
      ["long", 0, 98],
      ["short", 0, 2],
    ]);
    expect(queue.rows).toBe(902);
  });
});
