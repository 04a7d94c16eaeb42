import { beforeAll, describe, expect, test } from "vitest";
import { anyImages, drawnImages, testImages } from "./images.ts";
import golden from "./golden.json" with { type: "json" };
import { classesOf, layersScores, onnxScores } from "./runtimes.ts";

/** How far a score may be from a golden one, or from that of another engine: they add in different orders. */
const tolerance = 1e-4;

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Math.max(...Array.from(a, (value, index) => Math.abs(value - b[index]!)));
}

describe("TensorFlow.js on the LayersModel and ONNX Runtime on the ONNX file", () => {
  let onnx: Float32Array;
  let layers: Float32Array;
  beforeAll(async () => {
    [onnx, layers] = [await onnxScores(anyImages.images), await layersScores(anyImages.images)];
  }, 60_000);

  test("name all 10,000 images the same", () => {
    const answers = classesOf(layers);
    const equal = classesOf(onnx).filter((classIndex, image) => classIndex === answers[image]).length;
    expect(equal).toBe(10_000);
  });

  test("give the same scores", () => {
    let largest = 0;
    onnx.forEach((score, index) => (largest = Math.max(largest, Math.abs(score - layers[index]!))));
    expect(largest).toBeLessThan(tolerance);
  });
});

describe("golden scores", () => {
  test.skipIf(testImages === undefined)("of the first 8 test images", async () => {
    expect(
      largestDifference(await onnxScores(testImages!.images.slice(0, 8 * 784)), golden.testImages.flat()),
    ).toBeLessThan(tolerance);
  });

  test("of the first 8 drawn garments", async () => {
    expect(
      largestDifference(await onnxScores(drawnImages.images.slice(0, 8 * 784)), golden.drawnImages.flat()),
    ).toBeLessThan(tolerance);
  });
});
