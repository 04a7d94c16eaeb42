import { describe, expect, it } from "vitest";
import { StickyPartitions, encodeRecord } from "../../../src/brokers/kafka/encode.ts";
import { PublishError } from "../../../src/core/errors.ts";
import type { OutgoingRecord } from "../../../src/core/record.ts";
import { partitionFor } from "../../../src/core/murmur2.ts";

const catalog = {
  maxRecordBytes: 1_000,
  maxMessageBytes: (topic: string) => (topic === "small" ? 200 : 2_000),
  partitionsOf: (topic: string) => (topic === "unknown" ? undefined : 4),
};
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const record = (changes: Partial<OutgoingRecord> = {}): OutgoingRecord => ({
  topic: "t",
  key: null,
  value: bytes("v"),
  headers: [],
  timestamp: 1_700_000_000_000,
  ...changes,
});
const encode = (changes: Partial<OutgoingRecord>, sticky = new StickyPartitions()) =>
  encodeRecord(record(changes), catalog, sticky, "kafka:in/0@1");
const refusal = (changes: Partial<OutgoingRecord>): PublishError => {
  try {
    encode(changes);
  } catch (error) {
    if (error instanceof PublishError) return error;
  }
  throw new Error("was not refused");
};

describe("encodeRecord", () => {
  it("copies no bytes", () => {
    const value = bytes("a long value").subarray(2, 6);
    const { message } = encode({ value });
    expect(message.value).toEqual(Buffer.from(value));
    expect(Buffer.isBuffer(message.value) && message.value.buffer === value.buffer).toBe(true);
  });

  it("keeps a tombstone and a missing key apart from empty ones", () => {
    expect(encode({ key: bytes(""), value: null }).message).toMatchObject({ key: Buffer.alloc(0), value: null });
    expect(encode({ key: null, value: bytes("") }).message).toMatchObject({ key: null, value: Buffer.alloc(0) });
  });

  it("writes the timestamp in milliseconds", () => {
    expect(encode({}).message.timestamp).toBe("1700000000000");
  });

  it("takes the partition that is asked for, a number or a function", () => {
    expect(encode({ partition: 3, key: bytes("k") })).toMatchObject({ partition: 3, message: { partition: 3 } });
    expect(encode({ partition: (partitions) => partitions - 2 }).partition).toBe(2);
  });

  it("chooses by the key as Kafka's Java client does", () => {
    for (const key of ["a", "b", "", "a longer key"]) {
      expect(encode({ key: bytes(key) }).partition).toBe(partitionFor(bytes(key), 4));
    }
  });

  it("keeps records without a key together until the batch is taken", () => {
    const sticky = new StickyPartitions();
    const first = [encode({}, sticky).partition, encode({}, sticky).partition];
    expect(new Set(first).size).toBe(1);
    sticky.nextBatch();
    expect(encode({}, sticky).partition).not.toBe(first[0]);
  });

  it.each([4, -1, 1.5, Number.NaN])("refuses partition %s of four", (partition) => {
    expect(refusal({ partition })).toMatchObject({ retryable: false, position: "kafka:in/0@1" });
  });

  it("refuses a topic that does not exist", () => {
    expect(refusal({ topic: "unknown" })).toMatchObject({ code: "ERR_PUBLISH", retryable: false });
  });

  it("takes a record of exactly the largest size, and refuses one byte more", () => {
    const headers = [["name", bytes("x".repeat(96))]] as const;
    expect(encode({ key: bytes("key"), value: Buffer.alloc(897), headers }).size).toBeGreaterThan(1_000);
    expect(refusal({ key: bytes("key"), value: Buffer.alloc(898), headers })).toMatchObject({ retryable: false });
  });

  it("refuses what the topic would not take", () => {
    expect(encode({ topic: "small", value: Buffer.alloc(130) }).size).toBe(200);
    expect(refusal({ topic: "small", value: Buffer.alloc(131) }).message).toContain("too large");
  });

  it("reads headers once", () => {
    let reads = 0;
    const out: OutgoingRecord = {
      ...record(),
      get headers() {
        reads += 1;
        return [];
      },
    };
    encodeRecord(out, catalog, new StickyPartitions(), "p");
    expect(reads).toBe(1);
  });
});
