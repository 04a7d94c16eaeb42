import { describe, expect, test } from "vitest";
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
});
