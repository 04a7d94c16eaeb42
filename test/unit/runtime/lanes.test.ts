import { describe, expect, test } from "vitest";
import type { Delivery, Lane } from "../../../src/core/broker.ts";
import { DeliveryLineage } from "../../../src/core/lineage.ts";
import type { Line } from "../../../src/core/line.ts";
import { Lanes } from "../../../src/runtime/lanes.ts";
import { Harness } from "../operators/harness.ts";

const harness = new Harness();

function laneOf(id = "T/0"): Lane & { lose(): void } {
  const abort = new AbortController();
  return { id, signal: abort.signal, lose: () => abort.abort() };
}

function deliveryOf(key: Uint8Array | null): Delivery {
  const { delivery } = harness.envelope("x").lineage.root;
  return { ...delivery, publish: () => undefined, record: { ...delivery.record, key } };
}

function enter(line: Line | undefined): DeliveryLineage {
  const lineage = new DeliveryLineage(deliveryOf(null), undefined, harness);
  if (line !== undefined) lineage.enter(line);
  return lineage;
}

describe("the lines of a lane", () => {
  const one = Uint8Array.of(1);
  const two = Uint8Array.of(2);

  test("one for the partition, one per key, none for a null key or without order", () => {
    const lines = new Lanes().linesOf(laneOf());
    expect(lines.lineOf(deliveryOf(one), "partition")).toBe(lines.lineOf(deliveryOf(two), "partition"));
    enter(lines.lineOf(deliveryOf(one), "key"));
    expect(lines.lineOf(deliveryOf(Uint8Array.of(1)), "key")).toBe(lines.lineOf(deliveryOf(one), "key"));
    expect(lines.lineOf(deliveryOf(two), "key")).not.toBe(lines.lineOf(deliveryOf(one), "key"));
    expect(lines.lineOf(deliveryOf(null), "key")).toBeUndefined();
    expect(lines.lineOf(deliveryOf(one), false)).toBeUndefined();
  });

  test("keys that are not UTF-8 are told apart, and an empty one is a key", () => {
    const lines = new Lanes().linesOf(laneOf());
    const bytes = Array.from({ length: 256 }, (_, byte) => lines.lineOf(deliveryOf(Uint8Array.of(byte)), "key"));
    expect(new Set(bytes).size).toBe(256);
    expect(lines.lineOf(deliveryOf(new Uint8Array()), "key")).toBeDefined();
  });

  test("a key's line is forgotten when it is empty", () => {
    const lines = new Lanes().linesOf(laneOf());
    const first = lines.lineOf(deliveryOf(one), "key");
    enter(first).done();
    expect(lines.lineOf(deliveryOf(one), "key")).not.toBe(first);
  });

  test("a forgotten line that is used once more does not take its successor along", () => {
    const lines = new Lanes().linesOf(laneOf());
    const first = lines.lineOf(deliveryOf(one), "key");
    enter(first).done();
    const second = lines.lineOf(deliveryOf(one), "key");
    enter(second);
    enter(first).done(); // a processor forwards what it held
    expect(lines.lineOf(deliveryOf(one), "key")).toBe(second);
  });

  test("belong to the lane object, and know when it is lost", () => {
    const lanes = new Lanes();
    const [lane, again] = [laneOf(), laneOf()];
    const lines = lanes.linesOf(lane);
    expect(lanes.linesOf(again)).not.toBe(lines);
    expect(lanes.linesOf(lane)).toBe(lines);
    expect(lines.lost).toBe(false);
    lane.lose();
    expect(lines.lost).toBe(true);
    expect(new Lanes().linesOf(lane).lost).toBe(true);
  });
});
