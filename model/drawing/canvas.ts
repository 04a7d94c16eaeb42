import { imagePixels, imageSide } from "../image-shape.ts";

/**
 * A place on the canvas: x to the right, y down, pixels; (0, 0) is the top left corner, (28, 28) the bottom right one.
 */
export type Point = readonly [x: number, y: number];

/** Brightness at a place, 0 (background) to 1. */
export type Shade = (x: number, y: number) => number;

/** Rows of samples in each row of pixels: across, coverage is exact. */
const samples = 4;

/** A grey image of 28 × 28 pixels that shapes are painted on, each over what was there, with smooth edges. */
export class Canvas {
  readonly #brightness = new Float32Array(imagePixels);
  readonly #coverage = new Float32Array(imageSide);
  readonly #crossings: number[] = [];

  /**
   * Fills a closed outline. Where it crosses itself the even-odd rule holds. What lies beyond the canvas is cut off.
   */
  fill(outline: readonly Point[], shade: Shade): void {
    const { top, bottom } = rowsOf(outline);
    for (let row = top; row < bottom; row += 1) {
      this.#coverage.fill(0);
      for (let sample = 0; sample < samples; sample += 1) this.#cover(outline, row + (sample + 0.5) / samples);
      this.#blend(row, shade);
    }
  }

  /** Draws a line of the given width, pixels, through the points. */
  stroke(points: readonly Point[], width: number, shade: Shade): void {
    for (let end = 1; end < points.length; end += 1) {
      const [x0, y0] = points[end - 1]!;
      const [x1, y1] = points[end]!;
      const scale = width / 2 / Math.hypot(x1 - x0, y1 - y0);
      const [across, along] = [(y0 - y1) * scale, (x1 - x0) * scale];
      this.fill(
        [
          [x0 + across, y0 + along],
          [x1 + across, y1 + along],
          [x1 - across, y1 - along],
          [x0 - across, y0 - along],
        ],
        shade,
      );
    }
  }

  /** Writes the 784 pixels as bytes, row by row, from `offset` on. */
  copyTo(bytes: Uint8Array, offset: number): void {
    this.#brightness.forEach((value, pixel) => {
      bytes[offset + pixel] = Math.round(255 * Math.min(1, Math.max(0, value)));
    });
  }

  /** Adds how much of each pixel of a row the outline covers along the line at height `y`. */
  #cover(outline: readonly Point[], y: number): void {
    const crossings = this.#crossingsAt(outline, y);
    for (let pair = 0; pair + 1 < crossings.length; pair += 2) {
      const from = Math.max(0, crossings[pair]!);
      const to = Math.min(imageSide, crossings[pair + 1]!);
      for (let x = Math.floor(from); x < to; x += 1) {
        this.#coverage[x]! += (Math.min(to, x + 1) - Math.max(from, x)) / samples;
      }
    }
  }

  /** Where the line at height `y` crosses the outline, from left to right. The array is used again by the next call. */
  #crossingsAt(outline: readonly Point[], y: number): readonly number[] {
    const crossings = this.#crossings;
    crossings.length = 0;
    // By index: taking points apart by patterns made the drawing of 10,000 garments twice as slow.
    let before = outline.at(-1)!;
    for (let index = 0; index < outline.length; index += 1) {
      const point = outline[index]!;
      if (before[1] <= y !== point[1] <= y) {
        crossings.push(before[0] + ((y - before[1]) / (point[1] - before[1])) * (point[0] - before[0]));
      }
      before = point;
    }
    return crossings.length > 2 ? crossings.toSorted((a, b) => a - b) : inOrder(crossings);
  }

  #blend(row: number, shade: Shade): void {
    for (let x = 0; x < imageSide; x += 1) {
      const covered = this.#coverage[x]!;
      if (covered === 0) continue;
      const pixel = row * imageSide + x;
      this.#brightness[pixel] = this.#brightness[pixel]! * (1 - covered) + shade(x + 0.5, row + 0.5) * covered;
    }
  }
}

/** The outline of an ellipse. */
export function ellipse(centre: Point, radiusX: number, radiusY: number): readonly Point[] {
  return Array.from({ length: 24 }, (_, step): Point => {
    const angle = (2 * Math.PI * step) / 24;
    return [centre[0] + radiusX * Math.cos(angle), centre[1] + radiusY * Math.sin(angle)];
  });
}

/**
 * Points on a curve from `start` to `end`, which leaves and arrives in the direction of `control` (a quadratic Bézier
 * curve).
 */
export function curve(start: Point, control: Point, end: Point): readonly Point[] {
  const steps = 8;
  return Array.from({ length: steps + 1 }, (_, step): Point => {
    const t = step / steps;
    const mix = (axis: 0 | 1): number =>
      (1 - t) ** 2 * start[axis] + 2 * t * (1 - t) * control[axis] + t ** 2 * end[axis];
    return [mix(0), mix(1)];
  });
}

/** The right half of an outline, from top to bottom, completed by its mirror image at the line `x = axis`. */
export function symmetric(right: readonly Point[], axis: number): readonly Point[] {
  const left = right.map(([x, y]): Point => [2 * axis - x, y]);
  return [...right, ...left.toReversed()];
}

function rowsOf(outline: readonly Point[]): { readonly top: number; readonly bottom: number } {
  let [top, bottom] = [imageSide, 0];
  for (const point of outline) {
    top = Math.min(top, point[1]);
    bottom = Math.max(bottom, point[1]);
  }
  return { top: Math.max(0, Math.floor(top)), bottom: Math.min(imageSide, Math.ceil(bottom)) };
}

/** Most lines cross an outline twice or not at all: these need no call of `toSorted`. */
function inOrder(crossings: number[]): readonly number[] {
  const [first, second] = [crossings[0], crossings[1]];
  if (first !== undefined && second !== undefined && first > second) {
    crossings[0] = second;
    crossings[1] = first;
  }
  return crossings;
}
