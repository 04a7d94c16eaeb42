import fc from "fast-check";
import type { OutgoingRecord } from "millrace";
import { describe, expect, it } from "vitest";
import { decodeMessage, encodeMessage } from "../../../src/brokers/pubsub/attributes.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const binary = new Uint8Array([0, 255, 128, 0xc3, 0x28]);
const options = { ordering: true, maxRecordBytes: 10_000_000, position: "pubsub:s@1" };
const publishTime = { getTime: () => 7 };

function record(given: Partial<OutgoingRecord> = {}): OutgoingRecord {
  return { topic: "t", key: null, value: text("v"), headers: [], timestamp: 1_000, ...given };
}

function roundTrip(given: Partial<OutgoingRecord>, ordering = true): unknown {
  const { key, value, headers, timestamp } = decodeMessage(
    { ...encodeMessage(record(given), { ...options, ordering }), publishTime },
    "t",
  );
  const plain = (bytes: Uint8Array | null): number[] | null => (bytes === null ? null : [...bytes]);
  return {
    key: plain(key),
    value: plain(value),
    headers: headers.map(([name, bytes]) => [name, plain(bytes)]),
    timestamp,
  };
}

describe("encodeMessage and decodeMessage", () => {
  it("carry any key, value, headers of distinct names and time, with and without ordering", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.string().map(text),
      fc.constant(text("millrace-base64:AAAA")),
    );
    const name = fc
      .string({ minLength: 1, maxLength: 20 })
      .filter((given) => !/^(millrace-|__proto__$|\d+$)/.test(given));
    fc.assert(
      fc.property(
        fc.option(bytes),
        fc.option(bytes),
        fc.uniqueArray(fc.tuple(name, bytes), { selector: ([header]) => header, maxLength: 5 }),
        fc.integer(),
        fc.boolean(),
        (key, value, headers, timestamp, ordering) => {
          const plain = (given: Uint8Array | null): number[] | null => (given === null ? null : [...given]);
          expect(roundTrip({ key, value, headers, timestamp }, ordering)).toEqual({
            key: plain(key),
            value: plain(value),
            headers: headers.map(([header, given]) => [header, [...given]]),
            timestamp,
          });
        },
      ),
    );
  });

  it("write what is UTF-8 as it is, and the rest as base64 with a mark", () => {
    const headers = [
      ["a", text("å")],
      ["b", binary],
    ] as const;
    expect(encodeMessage(record({ key: text("k"), headers }), options)).toEqual({
      data: text("v"),
      orderingKey: "k",
      attributes: { a: "å", b: "millrace-base64:AP+Awyg=", "millrace-timestamp": "1000" },
    });
    expect(encodeMessage(record({ key: text("k") }), { ...options, ordering: false })).toEqual({
      data: text("v"),
      attributes: { "millrace-key": "k", "millrace-timestamp": "1000" },
    });
  });

  it("read a message of someone else: attributes are headers, the time is that of publishing", () => {
    const message = { data: new Uint8Array(), attributes: { start_idx: "0", end_idx: "10" }, publishTime };
    expect(decodeMessage(message, "t")).toEqual({
      topic: "t",
      key: null,
      value: new Uint8Array(),
      headers: [
        ["start_idx", text("0")],
        ["end_idx", text("10")],
      ],
      timestamp: 7,
    });
  });

  it("keep the last header of a name", () => {
    const headers = [
      ["a", text("1")],
      ["a", text("2")],
    ] as const;
    expect(encodeMessage(record({ headers }), options).attributes["a"]).toBe("2");
  });

  it("cut what a dead letter tells to the size of an attribute, between characters", () => {
    const headers = [
      ["millrace.error.message", text("å".repeat(600) + "!")],
      ["millrace.error.x", text("x".repeat(1025))],
    ] as const;
    const { attributes } = encodeMessage(record({ headers }), options);
    expect(attributes["millrace.error.message"]).toBe("å".repeat(512));
    expect(attributes["millrace.error.x"]).toBe("x".repeat(1024));
  });
});

describe("encodeMessage refuses", () => {
  const many = Array.from({ length: 100 }, (_, index) => [`h${index}`, text("x")] as const);
  it.each<[string, Partial<OutgoingRecord>, RegExp]>([
    ["more than 100 attributes", { headers: many }, /101 attributes/],
    ["a header without a name", { headers: [["", text("x")]] }, /without a name/],
    ["a long name", { headers: [["n".repeat(257), text("x")]] }, /257 bytes/],
    ["a long value", { headers: [["n", text("x".repeat(1025))]] }, /1025 bytes for attribute n/],
    ["a key that fits nowhere", { key: text("k".repeat(1025)) }, /millrace-key/],
    ["a large record", { value: new Uint8Array(10_000_000) }, /at most 10000000/],
  ])("%s", (_, given, message) => {
    expect(() => encodeMessage(record(given), options)).toThrow(
      expect.objectContaining({
        code: "ERR_PUBLISH",
        retryable: false,
        position: "pubsub:s@1",
        message: expect.stringMatching(message),
      }),
    );
  });
});
