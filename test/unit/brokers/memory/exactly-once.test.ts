import { describe, expect, test } from "vitest";
import { memoryBroker, type MemoryBroker } from "../../../../src/brokers/memory/index.ts";
import { out, Reader, turn, valuesIn } from "./fixture.ts";

async function start(...records: string[]): Promise<{ broker: MemoryBroker; reader: Reader }> {
  const broker = memoryBroker({ maxRecordBytes: 10 });
  broker.publish(records.map((value) => out("IN", value)));
  return { broker, reader: await open(broker) };
}

function open(broker: MemoryBroker): Promise<Reader> {
  return Reader.open(broker, ["IN"], { processingGuarantee: "exactly_once" });
}

describe("under exactly once", () => {
  test("results become visible with the commit, in the order of the offsets", async () => {
    const { broker, reader } = await start("a", "b");
    void reader.get("b").publish([out("OUT", "B1"), out("OUT", "B2")]);
    void reader.get("a").publish([out("OUT", "A")]);
    reader.get("b").ack();
    expect(valuesIn(broker, "OUT")).toEqual([]);
    reader.get("a").ack();
    expect(valuesIn(broker, "OUT")).toEqual(["A", "B1", "B2"]);
    expect(broker.committed("group", "IN", 0)).toBe(2);
  });

  test("results of a delivery that is given back, or whose lane is lost, never appear", async () => {
    const { broker, reader } = await start("a", "b");
    const [a, b] = reader.deliveries.slice();
    void a?.publish([out("OUT", "first")]);
    a?.nack("again");
    void b?.publish([out("OUT", "b")]);
    b?.ack();
    await reader.advance(100);
    void reader.get("a").publish([out("OUT", "second")]);
    broker.faults.rebalance();
    await turn();
    void reader.get("a").publish([out("OUT", "third")]);
    reader.get("a").ack();
    void b?.publish([out("OUT", "late")]);
    expect(valuesIn(broker, "OUT")).toEqual(["third"]);
    reader.get("b").ack();
    expect(valuesIn(broker, "OUT")).toEqual(["third"]);
  });

  test("of two handings out, only the results of the one that was acked appear", async () => {
    const { broker, reader } = await start("a");
    broker.faults.redeliver();
    const [first, second] = reader.deliveries;
    void first?.publish([out("OUT", "first")]);
    void second?.publish([out("OUT", "second")]);
    second?.ack();
    first?.ack();
    expect(valuesIn(broker, "OUT")).toEqual(["second"]);
  });

  test("of two handings out, the later one adds nothing to what was acked and waits for its commit", async () => {
    const { broker, reader } = await start("open", "a");
    broker.faults.redeliver();
    const [, first, , second] = reader.deliveries;
    void second?.publish([out("OUT", "second")]);
    second?.ack();
    void first?.publish([out("OUT", "first")]);
    first?.ack();
    reader.get("open").ack();
    expect(valuesIn(broker, "OUT")).toEqual(["second"]);
  });

  test("a record that can't be written is refused when it is published", async () => {
    const { broker, reader } = await start("a");
    const delivery = reader.get("a");
    expect(() => delivery.publish([out("OUT", "much too long")])).toThrow(
      expect.objectContaining({ code: "ERR_PUBLISH", retryable: false, position: "memory:IN/0@0" }),
    );
    expect(() => delivery.publish([out("OUT", "a", { partition: 9 })])).toThrow("partitions 0 to 0");
    void delivery.publish([out("OUT", "fits")]);
    delivery.ack();
    expect(valuesIn(broker, "OUT")).toEqual(["fits"]);
  });
});
