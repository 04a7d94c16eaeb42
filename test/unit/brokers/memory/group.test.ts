import { describe, expect, test } from "vitest";
import { memoryBroker, type MemoryBroker } from "../../../../src/brokers/memory/index.ts";
import { out, Reader, turn, values } from "./fixture.ts";

/** A topic with 4 partitions and one record in each, named by its partition. */
function fourPartitions(): MemoryBroker {
  const broker = memoryBroker({ partitions: 4 });
  broker.publish([0, 1, 2, 3].map((partition) => out("IN", String(partition), { partition })));
  return broker;
}

/** Partitions whose lanes are still the reader's. */
function held({ deliveries }: Reader): number[] {
  return deliveries
    .filter(({ lane }) => lane?.signal.aborted === false)
    .map(({ record }) => record.partition ?? -1)
    .toSorted();
}

describe("a consumer group", () => {
  test("spreads partitions over its members; one that stays keeps its lane", async () => {
    const broker = fourPartitions();
    const one = await Reader.open(broker, ["IN"]);
    expect(held(one)).toEqual([0, 1, 2, 3]);
    const two = await Reader.open(broker, ["IN"]);
    expect(held(one)).toEqual([0, 2]);
    expect(held(two)).toEqual([1, 3]);
    expect(one.deliveries).toHaveLength(4);
    await two.session.close();
    await turn();
    expect(held(two)).toEqual([]);
    expect(held(one)).toEqual([0, 1, 2, 3]);
    expect(values(one.deliveries.slice(4)).toSorted()).toEqual(["1", "3"]);
  });

  test("gives a member without a partition nothing, until another leaves", async () => {
    const broker = memoryBroker();
    broker.publish([out("IN", "a")]);
    const one = await Reader.open(broker, ["IN"]);
    const two = await Reader.open(broker, ["IN"]);
    expect(two.deliveries).toEqual([]);
    await one.session.close();
    await turn();
    expect(values(two.deliveries)).toEqual(["a"]);
  });

  test("assigns a topic only to members that read it", async () => {
    const broker = memoryBroker();
    broker.publish([out("ONE", "1"), out("TWO", "2")]);
    const one = await Reader.open(broker, ["ONE"]);
    const two = await Reader.open(broker, ["TWO"]);
    expect(values(one.deliveries)).toEqual(["1"]);
    expect(values(two.deliveries)).toEqual(["2"]);
  });

  test("a late ack for a lane that is lost moves nothing, and frees no credit twice", async () => {
    const broker = memoryBroker({ partitions: 2 });
    const reader = await Reader.open(broker, ["IN"], { maxInFlight: 2 });
    broker.publish(["a", "b", "c"].map((value) => out("IN", value, { partition: 0 })));
    await turn();
    const late = reader.deliveries.slice();
    expect(values(late)).toEqual(["a", "b"]);
    broker.faults.rebalance();
    await turn();
    expect(values(reader.deliveries)).toEqual(["a", "b", "a", "b"]);
    for (const delivery of late) delivery.ack();
    await turn();
    expect(reader.deliveries).toHaveLength(4);
    expect(broker.committed("group", "IN", 0)).toBe(0);
  });

  test("a forced rebalance moves partitions between members and loses no record", async () => {
    const broker = fourPartitions();
    const one = await Reader.open(broker, ["IN"]);
    const two = await Reader.open(broker, ["IN"]);
    const before = held(one);
    broker.faults.rebalance();
    await turn();
    expect(held(two)).toEqual(before);
    expect(new Set([...held(one), ...held(two)])).toEqual(new Set([0, 1, 2, 3]));
    for (const delivery of [...one.deliveries, ...two.deliveries]) delivery.ack();
    for (const partition of [0, 1, 2, 3]) expect(broker.committed("group", "IN", partition)).toBe(1);
  });

  test("lanes are named by partition and epoch", async () => {
    const broker = memoryBroker();
    broker.publish([out("IN", "a")]);
    const reader = await Reader.open(broker, ["IN"]);
    broker.faults.rebalance();
    await turn();
    const [first, second] = reader.deliveries.map(({ lane }) => lane?.id);
    expect(first).toMatch(/^IN\/0#\d+$/);
    expect(second).not.toBe(first);
  });

  test("partitions take turns", async () => {
    const broker = memoryBroker({ partitions: 2 });
    broker.publish(["a", "b", "c"].map((value) => out("IN", value, { partition: 0 })));
    broker.publish([out("IN", "other", { partition: 1 })]);
    const reader = await Reader.open(broker, ["IN"], { maxInFlight: 2 });
    expect(values(reader.deliveries).toSorted()).toEqual(["a", "other"]);
  });
});
