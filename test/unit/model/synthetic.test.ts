import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { drawGarments } from "../../../model/synthetic.ts";

describe("drawGarments", () => {
  test("draws the same images for the same seed, and others for another", () => {
    expect(drawGarments({ count: 20 })).toEqual(drawGarments({ count: 20, seed: 1 }));
    expect(drawGarments({ count: 20, seed: 2 }).images).not.toEqual(drawGarments({ count: 20 }).images);
  });

  test("begins a longer series with a shorter one", () => {
    const { images, labels } = drawGarments({ count: 30 });
    expect(drawGarments({ count: 20 })).toEqual({
      images: images.slice(0, 20 * 784),
      labels: labels.slice(0, 20),
      source: "synthetic",
    });
  });

  test("draws all classes about equally often, and no two images alike", () => {
    const { images, labels } = drawGarments({ count: 1_000 });
    const counts = Array.from({ length: 10 }, () => 0);
    for (const label of labels) counts[label]! += 1;
    for (const count of counts) expect(count).toBeGreaterThan(60);
    const hashes = Array.from(labels, (_, image) =>
      createHash("sha256")
        .update(images.subarray(image * 784, (image + 1) * 784))
        .digest("hex"),
    );
    expect(new Set(hashes).size).toBe(1_000);
  });

  test("draws something in the middle of each image, and nothing in its corners", () => {
    const { images, labels } = drawGarments({ count: 200 });
    labels.forEach((_, image) => {
      const pixels = images.subarray(image * 784, (image + 1) * 784);
      expect(pixels.filter((pixel) => pixel > 30).length).toBeGreaterThan(60);
      expect(pixels[0]).toBe(0);
    });
  });

  test("draws none when asked for none", () => {
    expect(drawGarments({ count: 0 })).toEqual({
      images: new Uint8Array(),
      labels: new Uint8Array(),
      source: "synthetic",
    });
  });
});
