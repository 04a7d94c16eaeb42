import { describe, expect, test } from "vitest";
import { memoryBroker, MemoryBroker } from "../../../../src/brokers/memory/index.ts";
import { ConfigError, PublishError } from "../../../../src/core/errors.ts";
import { partitionFor } from "../../../../src/core/murmur2.ts";
import type { OutgoingRecord } from "../../../../src/core/record.ts";
import { out, Reader, sessionOptions, valuesIn } from "./fixture.ts";

describe("topics", () => {
  test("are created by being used, or on purpose with as many partitions as one likes", () => {
    const broker = memoryBroker({ partitions: 2 });
    broker.publish([out("USED", "a")]);
    broker.createTopic("MADE", 5);
    broker.createTopic("MADE", 7); // it exists
    expect(broker.topicNames).toEqual(["USED", "MADE"]);
    expect(() => broker.publish([out("USED", "b", { partition: 2 })])).toThrow("USED has partitions 0 to 1, got 2");
    expect(() => broker.publish([out("MADE", "b", { partition: 5 })])).toThrow("0 to 4");
  });

  test("that are missing are named where they must not be created", async () => {
    const broker = memoryBroker({ createTopics: false });
    broker.createTopic("IN");
    await expect(broker.open(sessionOptions({ topics: ["IN", "OUT", "DLQ"] }))).rejects.toThrow(
      new ConfigError("memory: missing topics: OUT, DLQ; create them with createTopic(), or set createTopics: true"),
    );
    expect(() => broker.publish([out("OUT", "a")])).toThrow(PublishError);
  });

  test.each([{ partitions: 0 }, { partitions: 1.5 }, { retention: -1 }, { maxRecordBytes: 0 }])(
    "%o is refused",
    (options) => {
      expect(() => new MemoryBroker(options)).toThrow(ConfigError);
    },
  );
});

describe("partitions", () => {
  const partitions = 7;

  function partitionsAfter(outs: readonly OutgoingRecord[]): (number | undefined)[] {
    const broker = memoryBroker({ partitions });
    return outs.map((record) => {
      broker.publish([record]);
      return broker.records(record.topic).find(({ value }) => value === record.value)?.partition;
    });
  }

  test("follow the key as Kafka's Java client has it", () => {
    const keys = ["a", "b", "c", "", "a long key with some bytes in it", "ключ"];
    const outs = keys.map((text) => out("IN", `of ${text}`, { text }));
    expect(partitionsAfter(outs)).toEqual(outs.map(({ key }) => partitionFor(key ?? new Uint8Array(), partitions)));
  });

  test("take turns without a key", () => {
    const seen = partitionsAfter(Array.from({ length: partitions }, (_, index) => out("IN", String(index))));
    expect(seen.toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  test("may be chosen, by number or by function", () => {
    const byFunction = (count: number): number => count - 1;
    expect(
      partitionsAfter([out("IN", "a", { partition: 3 }), out("IN", "b", { partition: byFunction, text: "a" })]),
    ).toEqual([3, 6]);
  });

  test.each([-1, 7, 0.5, NaN])("%s is not one of 7", (partition) => {
    const broker = memoryBroker({ partitions });
    expect(() => broker.publish([out("IN", "a", { partition })])).toThrow(
      expect.objectContaining({ code: "ERR_PUBLISH", retryable: false }),
    );
    expect(broker.records("IN")).toEqual([]);
  });
});

describe("writing", () => {
  test("is all or nothing", () => {
    const broker = memoryBroker({ maxRecordBytes: 3 });
    expect(() => broker.publish([out("IN", "abc"), out("IN", "abcd")])).toThrow(
      expect.objectContaining({
        code: "ERR_PUBLISH",
        retryable: false,
        message: expect.stringContaining("4 bytes, at most 3"),
      }),
    );
    expect(valuesIn(broker, "IN")).toEqual([]);
  });

  test("refusals are decided record by record, until they end", async () => {
    const broker = memoryBroker();
    broker.faults.refuseWrites(({ topic }) =>
      topic === "OUT" ? { message: "no leader", retryable: true } : undefined,
    );
    const session = await broker.open(sessionOptions({}));
    await expect(session.publish([out("OUT", "a")])).rejects.toMatchObject({ code: "ERR_PUBLISH", retryable: true });
    await session.publish([out("ELSEWHERE", "a")]);
    broker.faults.refuseWrites();
    await session.publish([out("OUT", "b")]);
    expect(valuesIn(broker, "OUT")).toEqual(["b"]);
  });

  test("reads headers at most once, and only when somebody asks", () => {
    let reads = 0;
    const lazy: OutgoingRecord = Object.defineProperty(out("IN", "a"), "headers", {
      get: () => {
        reads += 1;
        return [["name", new Uint8Array([1])] as const];
      },
    });
    const broker = memoryBroker();
    broker.publish([lazy]);
    const [record] = broker.records("IN");
    expect(record?.value).toEqual(lazy.value);
    expect(reads).toBe(0);
    expect(record?.headers).toEqual([["name", new Uint8Array([1])]]);
    expect(record?.headers).toEqual([["name", new Uint8Array([1])]]);
    expect(broker.records("IN")[0]?.headers).toHaveLength(1);
    expect(reads).toBe(1);
  });
});

describe("retention", () => {
  const many = 10_000;

  function fill(broker: MemoryBroker, from: number): void {
    broker.publish(Array.from({ length: many }, (_, index) => out("IN", String(from + index))));
  }

  test("drops what nobody has to read, and keeps the newest", () => {
    const broker = memoryBroker({ retention: 100 });
    fill(broker, 0);
    const kept = valuesIn(broker, "IN");
    expect(kept.length).toBeGreaterThanOrEqual(100);
    expect(kept.length).toBeLessThan(5_000);
    expect(kept.at(-1)).toBe(String(many - 1));
  });

  test("keeps what a group has not committed, and nothing of it is lost", async () => {
    const broker = memoryBroker({ retention: 0 });
    const group = await Reader.open(broker, ["IN"], { maxInFlight: 1 });
    fill(broker, 0);
    expect(valuesIn(broker, "IN")).toHaveLength(many);
    await group.session.close();
    const seen: string[] = [];
    const reader = await Reader.open(broker, ["IN"], {
      act: (delivery) => {
        seen.push(delivery.position);
        delivery.ack();
      },
    });
    while (seen.length < many) await reader.advance(0);
    fill(broker, many);
    while (seen.length < 2 * many) await reader.advance(0);
    expect(new Set(seen).size).toBe(2 * many);
    expect(seen.at(-1)).toBe(`memory:IN/0@${2 * many - 1}`);
    expect(valuesIn(broker, "IN").length).toBeLessThan(2 * many);
  });
});
