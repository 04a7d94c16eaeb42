import { describe, expect, test } from "vitest";
import { memoryBroker } from "../../../../src/brokers/memory/index.ts";
import { BrokerError } from "../../../../src/core/errors.ts";
import { out, Reader, turn, values } from "./fixture.ts";

const names = ["a", "b", "c"];

function brokerWith(...records: string[]): ReturnType<typeof memoryBroker> {
  const broker = memoryBroker();
  broker.publish(records.map((value) => out("IN", value)));
  return broker;
}

describe("committing", () => {
  test("moves to the first record that is not acked", async () => {
    const broker = brokerWith(...names);
    const reader = await Reader.open(broker, ["IN"]);
    const committed: string[] = [];
    reader.session.committed.subscribe((position) => committed.push(position));
    reader.get("b").ack();
    reader.get("c").ack();
    await turn();
    expect(broker.committed("group", "IN", 0)).toBe(0);
    expect(committed).toEqual([]);
    reader.get("a").ack();
    await turn();
    expect(broker.committed("group", "IN", 0)).toBe(3);
    expect(committed).toEqual(["memory:IN/0@2"]);
  });

  test("begins at the start that was asked for, and a restart finds it", async () => {
    const broker = brokerWith("old");
    const first = await Reader.open(broker, ["IN"], { autoOffsetReset: { IN: "latest" } });
    expect(first.deliveries).toEqual([]);
    await first.session.close();
    broker.publish([out("IN", "new")]);
    const second = await Reader.open(broker, ["IN"], { autoOffsetReset: { IN: "latest" } });
    expect(values(second.deliveries)).toEqual(["new"]);
  });

  test("keeps groups apart", async () => {
    const broker = brokerWith("a");
    const one = await Reader.open(broker, ["IN"], { groupId: "one" });
    const two = await Reader.open(broker, ["IN"], { groupId: "two" });
    one.get("a").ack();
    expect(two.deliveries).toHaveLength(1);
    expect(broker.committed("one", "IN", 0)).toBe(1);
    expect(broker.committed("two", "IN", 0)).toBe(0);
    expect(broker.committed("three", "IN", 0)).toBeUndefined();
  });
});

describe("nacking", () => {
  test("hands out again after a backoff that doubles up to ten seconds", async () => {
    const reader = await Reader.open(brokerWith("a"), ["IN"]);
    const waits: number[] = [];
    for (let round = 0; round < 9; round += 1) {
      reader.get("a").nack("again");
      const before = reader.scheduler.now();
      await reader.advance((reader.scheduler.nextDue ?? 0) - before);
      waits.push(reader.scheduler.now() - before);
    }
    expect(waits).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
    expect(reader.deliveries.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  test("counts once, even when it is repeated after the record is out again", async () => {
    const reader = await Reader.open(brokerWith("a"), ["IN"]);
    const first = reader.get("a");
    first.nack("again");
    await reader.advance(100);
    first.nack("too late");
    await reader.advance(10_000);
    expect(reader.deliveries).toHaveLength(2);
  });

  test("keeps the credit while it waits", async () => {
    const reader = await Reader.open(brokerWith(...names), ["IN"], { maxInFlight: 1 });
    reader.get("a").nack("again");
    await reader.advance(99);
    expect(values(reader.deliveries)).toEqual(["a"]);
    await reader.advance(1);
    expect(values(reader.deliveries)).toEqual(["a", "a"]);
    reader.get("a").ack();
    await turn();
    expect(values(reader.deliveries)).toEqual(["a", "a", "b"]);
  });

  test("a record that waits for another turn keeps later ones from being committed", async () => {
    const broker = brokerWith(...names);
    const reader = await Reader.open(broker, ["IN"]);
    reader.get("a").nack("again");
    reader.get("b").ack();
    reader.get("c").ack();
    expect(broker.committed("group", "IN", 0)).toBe(0);
    await reader.advance(100);
    reader.get("a").ack();
    expect(broker.committed("group", "IN", 0)).toBe(3);
  });

  test("leaves no timer behind when the session closes, loses its lane, or drains", async () => {
    const endings: ((broker: ReturnType<typeof memoryBroker>, reader: Reader) => unknown)[] = [
      (_, reader) => reader.session.close(),
      (_, reader) => reader.session.drain(1_000),
      (_, reader) => reader.unsubscribe(),
      (broker) => broker.faults.rebalance(),
      (broker) => broker.faults.crash(),
    ];
    for (const end of endings) {
      const broker = brokerWith("a");
      const reader = await Reader.open(broker, ["IN"]);
      reader.get("a").nack("again");
      expect(reader.scheduler.pending).toBe(1);
      await end(broker, reader);
      expect(reader.scheduler.pending).toBe(0);
    }
  });
});

describe("handing out twice", () => {
  test("the first ack counts, and frees one credit", async () => {
    const broker = brokerWith("a", "b", "c");
    const reader = await Reader.open(broker, ["IN"], { maxInFlight: 1 });
    broker.faults.redeliver();
    expect(reader.deliveries.map(({ attempt }) => attempt)).toEqual([1, 2]);
    for (const delivery of reader.deliveries.slice(0, 2)) delivery.ack();
    await turn();
    expect(values(reader.deliveries)).toEqual(["a", "a", "b"]);
    expect(broker.committed("group", "IN", 0)).toBe(1);
  });

  test("an ack through one ends the backoff of the other", async () => {
    const broker = brokerWith("a");
    const reader = await Reader.open(broker, ["IN"]);
    broker.faults.redeliver();
    const [first, second] = reader.deliveries;
    first?.nack("again");
    second?.ack();
    await reader.advance(10_000);
    expect(reader.deliveries).toHaveLength(2);
  });

  test("a redelivery takes the place of a backoff", async () => {
    const broker = brokerWith("a");
    const reader = await Reader.open(broker, ["IN"]);
    reader.get("a").nack("again");
    broker.faults.redeliver();
    await reader.advance(10_000);
    expect(reader.deliveries.map(({ attempt }) => attempt)).toEqual([1, 2]);
  });

  test("two nacks are one", async () => {
    const broker = brokerWith("a");
    const reader = await Reader.open(broker, ["IN"]);
    broker.faults.redeliver();
    for (const delivery of reader.deliveries.slice()) delivery.nack("again");
    await reader.advance(10_000);
    expect(reader.deliveries).toHaveLength(3);
    expect(reader.get("a").attempt).toBe(3);
  });

  test("a drain counts the record once, whatever becomes of both", async () => {
    const broker = brokerWith("a", "b", "c");
    const reader = await Reader.open(broker, ["IN"]);
    const [a, b, c] = reader.deliveries.slice();
    broker.faults.redeliver();
    const [a2, b2, c2] = reader.deliveries.slice(3);
    a?.nack("again");
    const drained = reader.session.drain(1_000);
    a2?.ack();
    b?.nack("stopping");
    b2?.ack();
    c?.ack();
    c2?.nack("stopping");
    expect(await drained).toEqual({ settled: 0, released: 2, abandoned: 1 }); // c is behind two that are not done
    expect(broker.committed("group", "IN", 0)).toBe(0);
  });
});

describe("draining", () => {
  test("reports what is out when it begins, by how it ends", async () => {
    const reader = await Reader.open(brokerWith("acked", "nacked", "waiting", "stuck"), ["IN"]);
    reader.get("waiting").nack("again");
    const drained = reader.session.drain(1_000);
    reader.get("acked").ack();
    reader.get("nacked").nack("stopping");
    await reader.advance(999);
    expect(reader.completed).toBe(false);
    await reader.advance(1);
    expect(await drained).toEqual({ settled: 1, released: 2, abandoned: 1 });
    expect(reader.completed).toBe(true);
  });

  test("ends at once when nothing is out, and the same way for every call", async () => {
    const reader = await Reader.open(brokerWith("a"), ["IN"]);
    const first = reader.session.drain(1_000);
    const second = reader.session.drain(1_000);
    reader.get("a").ack();
    expect(await first).toEqual({ settled: 1, released: 0, abandoned: 0 });
    expect(await second).toEqual(await first);
    expect(reader.scheduler.pending).toBe(0);
  });

  test("a rebalance in its middle leaves what was lost to the others", async () => {
    const broker = brokerWith("a");
    const reader = await Reader.open(broker, ["IN"]);
    const drained = reader.session.drain(1_000);
    broker.faults.rebalance();
    expect(await drained).toEqual({ settled: 0, released: 0, abandoned: 1 });
    expect(reader.deliveries).toHaveLength(1);
  });
});

describe("breaking", () => {
  test("a crash fails every session, and the next gets what was out", async () => {
    const broker = brokerWith(...names);
    const reader = await Reader.open(broker, ["IN"]);
    reader.get("a").ack();
    broker.faults.crash("cable cut");
    expect(reader.error).toBeInstanceOf(BrokerError);
    expect(reader.error).toMatchObject({ message: "cable cut", broker: "memory", retryable: true });
    reader.get("b").ack();
    const next = await Reader.open(broker, ["IN"]);
    expect(values(next.deliveries)).toEqual(["b", "c"]);
  });

  test("delay holds records back on the session's clock", async () => {
    const broker = brokerWith("a");
    broker.faults.delayMs = 50;
    const reader = await Reader.open(broker, ["IN"]);
    await reader.advance(49);
    expect(reader.deliveries).toEqual([]);
    await reader.advance(1);
    expect(values(reader.deliveries)).toEqual(["a"]);
  });
});
