import { expect, test } from "vitest";
import { murmur2, partitionFor } from "../../../src/core/murmur2.ts";
import golden from "../../golden/murmur2.json" with { type: "json" };

const vectors = golden.vectors.map((vector) => ({ ...vector, bytes: Uint8Array.from(Buffer.from(vector.key, "hex")) }));

test("there are vectors for the empty key, for every tail and for keys that aren't UTF-8", () => {
  const lengths = new Set(vectors.map(({ bytes }) => bytes.length));
  expect(vectors.length).toBeGreaterThanOrEqual(200);
  expect([0, 1, 2, 3, 4, 5, 6, 7, 8, 9].filter((length) => !lengths.has(length))).toEqual([]);
  expect(vectors.some(({ key }) => key === "ff")).toBe(true);
});

test("hashes every key as the Java client does", () => {
  expect(vectors.map(({ key, bytes }) => ({ key, hash: murmur2(bytes) }))).toEqual(
    vectors.map(({ key, hash }) => ({ key, hash })),
  );
});

test("gives every key the partition that the Java client gives it", () => {
  expect(
    vectors.map(({ key, bytes }) => ({ key, partitions: golden.partitionCounts.map((n) => partitionFor(bytes, n)) })),
  ).toEqual(vectors.map(({ key, partitions }) => ({ key, partitions })));
});

test("reads a view at its offset, not its buffer", () => {
  const buffer = Uint8Array.of(9, 9, 1, 2, 3, 4, 5, 9);
  expect(murmur2(buffer.subarray(2, 7))).toBe(murmur2(Uint8Array.of(1, 2, 3, 4, 5)));
});
