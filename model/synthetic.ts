import { imagePixels } from "./image-shape.ts";
import { Canvas } from "./drawing/canvas.ts";
import type { LabelledImages } from "./dataset.ts";
import { garments } from "./drawing/garments.ts";
import { seededRandom } from "./random.ts";

/** How many garments to draw, and which. */
export interface DrawOptions {
  /** Number of images. Minimum 0. */
  readonly count: number;
  /** Any integer. The same seed gives the same images. @default 1 */
  readonly seed?: number;
}

/**
 * Draws garments of the ten classes of Fashion-MNIST, by simple rules with random sizes, shades and patterns: a
 * stand-in for the data set.
 *
 * Classes come in random order, about equally often. The drawing rules are written by hand; no image of the data set is
 * part of them. They say nothing about how good a network is: they are easier than real images, and are made to be
 * recognised.
 */
export function drawGarments({ count, seed = 1 }: DrawOptions): LabelledImages {
  const random = seededRandom(seed);
  const images = new Uint8Array(count * imagePixels);
  const labels = new Uint8Array(count);
  for (let image = 0; image < count; image += 1) {
    const label = random.integer(garments.length);
    const canvas = new Canvas();
    garments[label]!(canvas, random);
    canvas.copyTo(images, image * imagePixels);
    labels[image] = label;
  }
  return { images, labels, source: "synthetic" };
}
