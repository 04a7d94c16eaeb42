import { ConfigError } from "millrace";
import { describe, expect, test } from "vitest";
import { readIdx } from "../../../model/idx.ts";

/** An IDX file: magic number, sizes, and what follows. */
function idx(magic: number, sizes: readonly number[], data: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * sizes.length + data.length);
  const view = new DataView(bytes.buffer);
  [magic, ...sizes].forEach((word, position) => view.setUint32(4 * position, word));
  bytes.set(data, 4 + 4 * sizes.length);
  return bytes;
}

describe("readIdx", () => {
  test("reads images, row by row", () => {
    const file = idx(0x803, [2, 1, 3], [1, 2, 3, 4, 5, 6]);
    expect(readIdx(file, [2, 1, 3], "images")).toEqual({ shape: [2, 1, 3], data: Uint8Array.of(1, 2, 3, 4, 5, 6) });
  });

  test("reads labels, from a view that does not begin at its buffer's begin", () => {
    const file = Uint8Array.of(9, 9, 9, ...idx(0x801, [2], [7, 8])).subarray(3);
    expect(readIdx(file, [-1], "labels")).toEqual({ shape: [2], data: Uint8Array.of(7, 8) });
  });

  test.each([
    [
      "another type of elements",
      idx(0xd01, [2], [1, 2]),
      [2],
      "x: wrong magic number: expected 0x00000801, got 0x00000d01",
    ],
    [
      "labels in place of images",
      idx(0x801, [2], [1, 2]),
      [2, 1, 1],
      "x: wrong magic number: expected 0x00000803, got 0x00000801",
    ],
    ["another count", idx(0x801, [3], [1, 2, 3]), [2], "x: wrong count: expected [2], got [3]"],
    [
      "another image size",
      idx(0x803, [1, 2, 2], [1, 2, 3, 4]),
      [1, 1, 4],
      "x: wrong count: expected [1, 1, 4], got [1, 2, 2]",
    ],
    ["an end too early", idx(0x801, [3], [1, 2]), [3], "x: truncated: expected 3 bytes after the header, got 2"],
    ["bytes behind the end", idx(0x801, [1], [1, 2]), [1], "x: too long: expected 1 bytes after the header, got 2"],
    ["half a header", idx(0x803, [1], []), [1, 1, 1], "x: truncated: expected a header of 16 bytes, got 8 bytes"],
    ["half a magic number", Uint8Array.of(0, 0), [1], "x: truncated: expected a magic number of 4 bytes, got 2 bytes"],
  ])("refuses %s", (_, file, shape, message) => {
    expect(() => readIdx(file, shape, "x")).toThrow(new ConfigError(message));
  });
});
