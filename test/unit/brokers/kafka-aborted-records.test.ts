import { describe, expect, it } from "vitest";
import { withoutAborted } from "../../../src/brokers/kafka/aborted-records.ts";
import type { FetchedRecord } from "../../../src/brokers/kafka/aborted-records.ts";

const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const record = (offset: number, producerId: string, key: Buffer | null = null): FetchedRecord => ({
  offset: String(offset),
  key,
  isControlRecord: false,
  batchContext: { producerId, inTransaction: true },
});
const marker = (offset: number, producerId: string, type: "abort" | "commit"): FetchedRecord => ({
  ...record(offset, producerId, int32(type === "abort" ? 0 : 1)),
  isControlRecord: true,
});
const left = (messages: readonly FetchedRecord[], aborted: readonly (readonly [string, string])[]): string[] =>
  withoutAborted({
    messages,
    abortedTransactions: aborted.map(([producerId, firstOffset]) => ({ producerId, firstOffset })),
  })
    .filter(({ isControlRecord }) => !isControlRecord)
    .map(({ offset }) => offset);

describe("withoutAborted", () => {
  it("gives everything where nothing was aborted", () => {
    const messages = [record(0, "1"), marker(1, "1", "commit")];
    expect(withoutAborted({ messages, abortedTransactions: [] })).toBe(messages);
    expect(withoutAborted({ messages, abortedTransactions: null })).toBe(messages);
  });

  it("drops an aborted record whose key looks like the marker of an abort", () => {
    const messages = [record(0, "1", int32(0)), record(1, "1", int32(0)), marker(2, "1", "abort"), record(3, "1")];
    expect(left(messages, [["1", "0"]])).toEqual(["3"]);
  });

  it("opens every transaction that began before the first record", () => {
    const messages = [
      record(5, "1"),
      record(6, "2"),
      marker(7, "1", "abort"),
      record(8, "2"),
      marker(9, "2", "abort"),
      record(10, "2"),
    ];
    expect(left(messages, [["1", "0"], ["2", "1"]])).toEqual(["10"]); // prettier-ignore
  });

  it("keeps what others wrote meanwhile", () => {
    const plain = { ...record(2, "1"), batchContext: { producerId: "1", inTransaction: false } };
    const messages = [record(0, "1"), record(1, "3"), plain, marker(3, "3", "commit"), marker(4, "1", "abort")];
    expect(left(messages, [["1", "0"]])).toEqual(["1", "2"]);
  });
});
