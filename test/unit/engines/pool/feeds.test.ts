import { Buffer } from "node:buffer";
import { describe, expect, test } from "vitest";
import type { TensorInfo } from "../../../../src/core/engine.ts";
import { checkFeeds, detach, load } from "../../../../src/engines/pool/feeds.ts";

const inputs: readonly TensorInfo[] = [
  { name: "a", type: "float32", shape: [-1, 3] },
  { name: "n", type: "int64", shape: [] },
];
const a = { type: "float32", shape: [2, 3], data: new Float32Array(6) } as const;
const n = { type: "int64", shape: [], data: BigInt64Array.of(7n) } as const;

describe("checkFeeds", () => {
  test("accepts free dimensions and scalars", () => {
    expect(() => checkFeeds({ a, n }, inputs)).not.toThrow();
  });

  test.each([
    [{ a }, 'input "n" int64 [] is missing'],
    [{ a, n, m: n }, 'the model has no input "m": it takes "a" float32 [-1, 3], "n" int64 []'],
    [{ a, n: { ...n, type: "int32" } as const }, 'input "n" int64 [] was given as int32'],
    [{ a: { ...a, data: new Uint8Array(6) }, n }, 'input "a" float32 [-1, 3] needs a Float32Array, got a Uint8Array'],
    [{ a: { ...a, shape: [3, 2] }, n }, 'input "a" float32 [-1, 3] was given the shape [3, 2]'],
    [{ a: { ...a, shape: [6] }, n }, 'input "a" float32 [-1, 3] was given the shape [6]'],
    [{ a: { ...a, shape: [1.5, 3] }, n }, 'input "a" float32 [-1, 3] was given the shape [1.5, 3]'],
    [{ a: { ...a, shape: [1, 3] }, n }, 'input "a": [1, 3] is 3 elements, got 6'],
  ])("refuses %o", (feeds, message) => {
    expect(() => checkFeeds(feeds, inputs)).toThrow(expect.objectContaining({ code: "ERR_INFERENCE", message }));
  });
});

describe("load", () => {
  test("moves whole buffers, each once, and copies nothing", () => {
    const buffer = new ArrayBuffer(24);
    const cargo = load({ a: { ...a, data: new Float32Array(buffer) }, b: { ...a, data: new Float32Array(buffer) } });
    expect(cargo.transfer).toEqual([buffer]);
    expect(cargo.feeds["a"]?.data.buffer).toBe(buffer);
  });

  test.each([
    ["a part of a buffer", new Uint8Array(10).fill(1).subarray(2, 5)],
    ["Node's pool", Buffer.from([1, 1, 1])],
    ["shared memory", new Uint8Array(new SharedArrayBuffer(3)).fill(1)],
  ])("copies what is a view of %s", (_, data) => {
    const { feeds, transfer } = load({ x: { type: "uint8", shape: [3], data } });
    expect([...(feeds["x"]?.data ?? [])]).toEqual([1, 1, 1]);
    expect(transfer).toEqual([feeds["x"]?.data.buffer]);
    expect(transfer[0]?.byteLength).toBe(3);
    expect(transfer[0]).not.toBe(data.buffer);
  });
});

test("detach takes the buffers from their owner and keeps their bytes", () => {
  const data = Uint8Array.of(1, 2, 3);
  const { feeds } = detach(load({ x: { type: "uint8", shape: [3], data } }));
  expect(data.length).toBe(0);
  expect(feeds["x"]?.data).toEqual(Uint8Array.of(1, 2, 3));
});
