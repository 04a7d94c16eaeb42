import { describe, expect, test, vi } from "vitest";
import { Line } from "../../../src/core/line.ts";
import { DeliveryLineage } from "../../../src/core/lineage.ts";
import { numberSerde, stringSerde, type Deserializer, type Serializer } from "../../../src/core/serde.ts";
import { decode } from "../../../src/operators/decode.ts";
import type { AnyEnvelope, Envelope } from "../../../src/operators/envelope.ts";
import { to } from "../../../src/operators/to.ts";
import { Subject } from "rxjs";
import { Harness, turn } from "./harness.ts";

const encoder = new TextEncoder();

function decoding<V>(
  harness: Harness,
  value: Deserializer<V>,
): { readonly out: AnyEnvelope[]; put(bytes: Uint8Array | null, key?: string): void } {
  const input = new Subject<DeliveryLineage>();
  const out: AnyEnvelope[] = [];
  input.pipe(decode({ key: stringSerde, value }, harness.context)).subscribe((envelope) => out.push(envelope));
  return {
    out,
    put: (bytes, key) => {
      const { root } = harness.envelope(bytes).lineage;
      const { delivery } = root;
      const record = { ...delivery.record, value: bytes, key: key === undefined ? null : encoder.encode(key) };
      input.next(new DeliveryLineage({ ...delivery, record, publish: () => undefined }, undefined, harness));
    },
  };
}

describe("decode", () => {
  test("bytes to key and value; a null key is null", () => {
    const { out, put } = decoding(new Harness(), stringSerde);
    put(encoder.encode("a"), "k");
    put(encoder.encode("b"));
    expect(out.map(({ record }) => [record.key, record.value])).toEqual([
      ["k", "a"],
      [null, "b"],
    ]);
  });

  test("a tombstone is refused, unless the serde is nullable", () => {
    const harness = new Harness();
    const strict = decoding(harness, stringSerde);
    strict.put(null);
    expect(harness.questions).toMatchObject([{ cause: { message: expect.stringContaining("tombstone") } }]);
    const loose = decoding(new Harness(), { ...stringSerde, nullable: true });
    loose.put(null);
    expect(loose.out.map(({ record }) => record.value)).toEqual([null]);
  });

  test("an asynchronous serde is awaited in order, and synchronous answers wait behind it", async () => {
    const answers = new Map<string, () => void>();
    const { out, put } = decoding(new Harness(), {
      deserialize: (bytes, headers, topic) => {
        const text = stringSerde.deserialize(bytes, headers, topic) as string;
        return text.startsWith("slow") ? new Promise((resolve) => answers.set(text, () => resolve(text))) : text;
      },
    });
    for (const text of ["a", "slow1", "b", "slow2", "c"]) put(encoder.encode(text));
    const values = (): unknown[] => out.map(({ record }) => record.value);
    expect(values()).toEqual(["a"]);
    answers.get("slow1")?.();
    await turn();
    expect(values()).toEqual(["a", "slow1", "b"]);
    answers.get("slow2")?.();
    await turn();
    expect(values()).toEqual(["a", "slow1", "b", "slow2", "c"]);
  });

  test("what arrives while waiting ones are worked off comes after them", async () => {
    let answer: (() => void) | undefined;
    const harness = new Harness();
    const input = new Subject<DeliveryLineage>();
    const put = (text: string): void => {
      const { delivery } = harness.envelope(text).lineage.root;
      const record = { ...delivery.record, value: encoder.encode(text) };
      input.next(new DeliveryLineage({ ...delivery, record, publish: () => undefined }, undefined, harness));
    };
    const value: Deserializer<string> = {
      // A schema registry: the first answer takes a request, the others are known.
      deserialize: (bytes, headers, topic) => {
        const text = stringSerde.deserialize(bytes, headers, topic) as string;
        return text === "first" ? new Promise((resolve) => (answer = () => resolve(text))) : text;
      },
    };
    const values: unknown[] = [];
    input.pipe(decode({ key: stringSerde, value }, harness.context)).subscribe(({ record, lineage }) => {
      values.push(record.value);
      lineage.done();
      // A broker hands out the next record when one is acked.
      if (record.value === "second") put("last");
    });
    for (const text of ["first", "second", "third"]) put(text);
    answer?.();
    await turn();
    expect(values).toEqual(["first", "second", "third", "last"]);
  });

  test("one that comes while another is passed on, and must wait, holds up the next", async () => {
    const harness = new Harness();
    const values: unknown[] = [];
    const input = new Subject<DeliveryLineage>();
    const value: Deserializer<string> = {
      deserialize: (bytes) => (bytes[0] === 2 ? Promise.resolve("slow") : String(bytes[0])),
    };
    const give = (byte: number): void => {
      const { delivery } = harness.envelope(byte).lineage.root;
      const record = { ...delivery.record, value: Uint8Array.of(byte) };
      input.next(new DeliveryLineage({ ...delivery, record, publish: () => undefined }, undefined, harness));
    };
    input.pipe(decode({ key: stringSerde, value }, harness.context)).subscribe(({ record }) => {
      values.push(record.value);
      if (record.value === "1") give(2);
    });
    give(1);
    give(3);
    await turn();
    expect(values).toEqual(["1", "slow", "3"]);
  });

  test("a delivery that is over is not decoded any more", () => {
    const harness = new Harness();
    const input = new Subject<DeliveryLineage>();
    const deserialize = vi.fn(() => "x");
    input.pipe(decode({ key: stringSerde, value: { deserialize } }, harness.context)).subscribe();
    const { root } = harness.envelope("x", { owner: { lost: true } }).lineage;
    input.next(root);
    expect(deserialize).not.toHaveBeenCalled();
    expect(harness.ended.lost).toEqual(["x"]);
  });

  test("a key that is refused later and a value that is refused at once are one question", async () => {
    const harness = new Harness();
    const input = new Subject<DeliveryLineage>();
    const key: Deserializer<string> = { deserialize: () => Promise.reject(new Error("no such key")) };
    input.pipe(decode({ key, value: numberSerde }, harness.context)).subscribe();
    const { delivery } = harness.envelope("x").lineage.root;
    const record = { ...delivery.record, key: encoder.encode("k"), value: encoder.encode("abc") };
    input.next(new DeliveryLineage({ ...delivery, record, publish: () => undefined }, undefined, harness));
    await turn();
    expect(harness.questions).toHaveLength(1);
    expect(harness.metrics).toMatchObject({ processed: 1, running: 0 });
  });

  test("trying again counts no second record", () => {
    const harness = new Harness();
    decoding(harness, numberSerde).put(encoder.encode("abc"));
    harness.questions[0]?.retry();
    expect(harness.questions).toHaveLength(2);
    expect(harness.metrics.processed).toBe(1);
  });

  test("what a serde refuses is a question with the raw bytes", () => {
    const harness = new Harness();
    decoding(harness, numberSerde).put(encoder.encode("abc"));
    expect(harness.questions).toMatchObject([
      { cause: { message: "a number is 8 bytes, got 3" }, envelope: { record: { value: encoder.encode("abc") } } },
    ]);
  });
});

describe("to", () => {
  const options = { topic: "OUT", key: stringSerde, value: stringSerde };

  function sink(
    harness: Harness,
    changed: object = {},
  ): { put(...envelopes: Envelope<string | null, string>[]): void } {
    const running = harness.run(to<string | null, string>({ ...options, ...changed }, harness.context));
    return { put: (...envelopes) => running.put(...envelopes) };
  }

  test("writes key, value, timestamp and headers, and adds the id", () => {
    const harness = new Harness();
    const header = ["h", new Uint8Array([1])] as const;
    sink(harness).put(harness.envelope("v", { key: "k", headers: [header] }));
    const [out] = harness.published;
    expect(out).toMatchObject({ topic: "OUT", key: encoder.encode("k"), value: encoder.encode("v"), timestamp: 0 });
    expect(out?.headers).toEqual([header, ["millrace-id", encoder.encode("test:T/0@0#node")]]);
    expect(harness.ended.settled).toEqual(["v"]);
  });

  test("a topic and a partition may be chosen per record", () => {
    const harness = new Harness();
    const partitioner = (_record: unknown, partitions: number): number => partitions - 1;
    sink(harness, { topic: (value: string) => `T-${value}`, partitioner }).put(harness.envelope("v"));
    const [out] = harness.published;
    expect(out?.topic).toBe("T-v");
    expect(typeof out?.partition === "function" ? out.partition(4) : out?.partition).toBe(3);
  });

  test("an asynchronous serializer keeps the order of the line, and is tried again", async () => {
    const harness = new Harness();
    const line = new Line();
    let fails = true;
    const value: Serializer<string> = {
      serialize: async (text) => {
        if (text === "first" && fails) throw new Error("registry away");
        return encoder.encode(text);
      },
    };
    sink(harness, { value }).put(harness.envelope("first", { line }), harness.envelope("second", { line }));
    await turn();
    expect(harness.published).toEqual([]);
    fails = false;
    harness.questions[0]?.retry();
    await turn();
    expect(harness.published.map((out) => new TextDecoder().decode(out.value ?? undefined))).toEqual([
      "first",
      "second",
    ]);
  });

  test("a key's serializer that rejected is asked again", async () => {
    const harness = new Harness();
    let calls = 0;
    const key: Serializer<string> = {
      serialize: async (text) => {
        calls += 1;
        if (calls === 1) throw new Error("registry away");
        return encoder.encode(text);
      },
    };
    sink(harness, { key }).put(harness.envelope("v", { key: "k" }));
    await turn();
    harness.questions[0]?.retry();
    await turn();
    expect(harness.questions).toHaveLength(1);
    expect(harness.published).toMatchObject([{ key: encoder.encode("k"), value: encoder.encode("v") }]);
  });

  test("a key that is refused later and a value that is refused at once are one question", async () => {
    const harness = new Harness();
    const key = { serialize: () => Promise.reject(new Error("no such key")) };
    const value = {
      serialize: (): never => {
        throw new Error("no such value");
      },
    };
    sink(harness, { key, value }).put(harness.envelope("v", { key: "k" }));
    await turn();
    expect(harness.questions).toHaveLength(1);
    expect(harness.metrics).toMatchObject({ processed: 1, running: 0 });
  });

  test("the origin of a replayed dead letter is in the id, and goes no further", () => {
    const harness = new Harness();
    const headers = [["millrace-origin", encoder.encode("test:T/0@77")] as const];
    sink(harness).put(harness.envelope("v", { headers }));
    expect(harness.published[0]?.headers).toEqual([["millrace-id", encoder.encode("test:T/0@77#node")]]);
  });

  test("what is over is not encoded", () => {
    const harness = new Harness();
    const value = { serialize: vi.fn() };
    sink(harness, { value }).put(harness.envelope("v", { owner: { lost: true } }));
    expect(value.serialize).not.toHaveBeenCalled();
    expect(harness.ended.lost).toEqual(["v"]);
  });

  test("null, as key or value, is written as null without asking a serde", () => {
    const harness = new Harness();
    const never = { serialize: vi.fn() };
    const running = harness.run(to<null, null>({ topic: "OUT", key: never, value: never }, harness.context));
    running.put(harness.envelope(null) as Envelope<null, null>);
    expect(harness.published).toMatchObject([{ key: null, value: null }]);
    expect(never.serialize).not.toHaveBeenCalled();
  });
});
