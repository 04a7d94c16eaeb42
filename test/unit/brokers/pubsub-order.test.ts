import { describe, expect, it } from "vitest";
import { KeyOrder } from "../../../src/brokers/pubsub/key-order.ts";
import { KeyLanes } from "../../../src/brokers/pubsub/lanes.ts";
import { RecentIds } from "../../../src/brokers/pubsub/recent-ids.ts";

interface Item {
  readonly key: string | undefined;
  readonly id: number;
}
const item = (key: string | undefined, id: number): Item => ({ key, id });

function all(order: KeyOrder<Item>): number[] {
  const ids: number[] = [];
  for (let next = order.shift(); next !== undefined; next = order.shift()) ids.push(next.id);
  return ids;
}

describe("KeyOrder", () => {
  it("lets one of a key pass at a time when asked, and what has no key at once", () => {
    const order = new KeyOrder<Item>(1);
    const first = item("a", 1);
    for (const next of [first, item("a", 2), item(undefined, 3), item("b", 4), item("a", 5)]) order.push(next);
    expect(all(order)).toEqual([1, 3, 4]);
    order.done(first);
    expect(all(order)).toEqual([2]);
    expect(order.isBusy("a")).toBe(true);
  });

  it("lets nothing of a key pass one that was given back", () => {
    const order = new KeyOrder<Item>(Infinity);
    const first = item("a", 1);
    order.push(first);
    order.push(item("a", 2));
    expect(all(order)).toEqual([1, 2]);
    order.block(first);
    order.push(item("a", 3));
    order.push(item("b", 4));
    expect(all(order)).toEqual([4]);
    order.unblock(first);
    expect(all(order)).toEqual([3]);
  });

  it("gives up an item with all that wait behind it", () => {
    const order = new KeyOrder<Item>(1);
    const first = item("a", 1);
    for (const next of [first, item("a", 2), item("a", 3)]) order.push(next);
    expect(all(order)).toEqual([1]);
    order.block(first);
    expect(order.giveUp(first).map(({ id }) => id)).toEqual([2, 3]);
    expect(order.isBusy("a")).toBe(false);
    order.push(first);
    expect(all(order)).toEqual([1]);
  });

  it("takes out what has not passed, and keeps the keys of what has", () => {
    const order = new KeyOrder<Item>(1);
    const first = item("a", 1);
    for (const next of [first, item("a", 2), item("b", 3), item(undefined, 4)]) order.push(next);
    expect(order.shift()).toBe(first);
    expect(
      order
        .clear()
        .map(({ id }) => id)
        .toSorted(),
    ).toEqual([2, 3, 4]);
    expect([order.isBusy("a"), order.isBusy("b"), order.shift()]).toEqual([true, false, undefined]);
    order.done(first);
    expect(order.isBusy("a")).toBe(false);
  });
});

describe("KeyLanes", () => {
  it("keeps one lane for a key, and forgets the one that was idle longest", () => {
    const lanes = new KeyLanes("s", 2, (key) => key === "busy");
    const [busy, idle] = [lanes.of("busy"), lanes.of("idle")];
    expect(lanes.of("new").id).toBe("s:new");
    expect([lanes.of("busy"), busy.signal.aborted, idle.signal.aborted]).toEqual([busy, false, true]);
    lanes.abortAll();
    expect(busy.signal.aborted).toBe(true);
  });
});

describe("RecentIds", () => {
  it("forgets the oldest", () => {
    const ids = new RecentIds(2);
    for (const id of ["a", "b", "a", "c"]) ids.add(id);
    expect(["a", "b", "c"].map((id) => ids.has(id))).toEqual([true, false, true]);
  });
});
