import type { Random } from "../random.ts";
import { type Canvas, type Point, symmetric } from "./canvas.ts";

/** Draws one garment at a random size and shade. */
export type Draw = (canvas: Canvas, random: Random) => void;

/** The upright middle line of the image, where garments hang. */
export const axis = 14;

/**
 * An outline that is symmetric about the middle line; `right` is its right half, from top to bottom, as distances from
 * that line.
 */
export function around(right: readonly Point[]): readonly Point[] {
  return symmetric(
    right.map(([x, y]): Point => [axis + x, y]),
    axis,
  );
}
