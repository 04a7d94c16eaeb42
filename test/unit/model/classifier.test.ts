import { ConfigError, InferenceError } from "millrace";
import { describe, expect, test } from "vitest";
import { imageClassifier, imageCodec } from "../../../model/classifier.ts";

/** Five images; all pixels of image `i` are `i`. */
const images = Uint8Array.from({ length: 5 * 784 }, (_, pixel) => Math.floor(pixel / 784));
const codec = imageCodec(images);

/** Scores of one image: `score` for its class, the rest shared by the others. */
const scoresOf = (classIndex: number, score: number): number[] =>
  Array.from({ length: 10 }, (_, index) => (index === classIndex ? score : (1 - score) / 9));

describe("imageCodec", () => {
  test("counts and slices ranges as half-open", () => {
    expect(codec.rows({ start: 2, end: 5 })).toBe(3);
    expect(codec.slice({ start: 2, end: 5 }, 1, 3)).toEqual({ start: 3, end: 5 });
  });

  test("gathers the pixels of all ranges, in order, into one new buffer", () => {
    const { pixels } = codec.encode(
      [
        { start: 3, end: 5 },
        { start: 0, end: 1 },
      ],
      3,
    );
    expect(pixels).toMatchObject({ type: "uint8", shape: [3, 28, 28, 1] });
    const data = pixels!.data;
    expect([data.length, data[0], data[783], data[784], data[1567], data[1568]]).toEqual([3 * 784, 3, 3, 4, 4, 0]);
    expect(data.buffer).not.toBe(images.buffer);
    expect(data.buffer.byteLength).toBe(3 * 784);
  });

  test("gives each range the most probable class of its images, with its probability", () => {
    const data = Float32Array.from([...scoresOf(9, 0.5), ...scoresOf(0, 0.75), ...scoresOf(4, 0.25)]);
    const scores = { type: "float32", shape: [3, 10], data } as const;
    expect(
      codec.decode({ scores }, [
        { start: 0, end: 1 },
        { start: 3, end: 5 },
      ]),
    ).toEqual([
      { classes: Uint8Array.of(9), scores: Float32Array.of(0.5) },
      { classes: Uint8Array.of(0, 4), scores: Float32Array.of(0.75, 0.25) },
    ]);
  });

  test("takes the first of equal classes", () => {
    const scores = { type: "float32", shape: [1, 10], data: new Float32Array(10).fill(0.1) } as const;
    expect(codec.decode({ scores }, [{ start: 0, end: 1 }])[0]!.classes).toEqual(Uint8Array.of(0));
  });

  test("joins slices in order", () => {
    const joined = codec.join([
      { classes: Uint8Array.of(1, 2), scores: Float32Array.of(0.5, 0.25) },
      { classes: Uint8Array.of(3), scores: Float32Array.of(1) },
    ]);
    expect(joined).toEqual({ classes: Uint8Array.of(1, 2, 3), scores: Float32Array.of(0.5, 0.25, 1) });
  });

  test.each([
    { start: 2, end: 2 },
    { start: 3, end: 2 },
    { start: -1, end: 2 },
    { start: 0, end: 6 },
    { start: 0.5, end: 2 },
    { start: Number.NaN, end: 2 },
  ])("refuses the range $start..$end", ({ start, end }) => {
    expect(() =>
      codec.encode(
        [
          { start: 0, end: 1 },
          { start, end },
        ],
        2,
      ),
    ).toThrow(new InferenceError(`range [${start}, ${end}): expected integers, 0 <= start < end <= 5`));
  });

  test("refuses an output that is not the network's", () => {
    expect(() => codec.decode({}, [{ start: 0, end: 1 }])).toThrow(InferenceError);
  });

  test("refuses images that are cut off", () => {
    expect(() => imageCodec(new Uint8Array(785))).toThrow(
      new ConfigError("images: expected a multiple of 784 bytes, got 785"),
    );
    expect(() => imageClassifier({ images: new Uint8Array(785) })).toThrow(ConfigError);
  });
});
