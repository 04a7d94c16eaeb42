import { describe, expect, test } from "vitest";
import { Canvas, curve, ellipse, type Point, symmetric } from "../../../model/drawing/canvas.ts";

const white = (): number => 1;

function draw(paint: (canvas: Canvas) => void): {
  readonly bytes: Uint8Array;
  at(x: number, y: number): number;
  readonly area: number;
} {
  const canvas = new Canvas();
  paint(canvas);
  const bytes = new Uint8Array(784);
  canvas.copyTo(bytes, 0);
  return { bytes, at: (x, y) => bytes[28 * y + x]!, area: bytes.reduce((total, byte) => total + byte / 255, 0) };
}

const box = (left: number, top: number, right: number, bottom: number): readonly Point[] => [
  [left, top],
  [right, top],
  [right, bottom],
  [left, bottom],
];

describe("Canvas", () => {
  test("fills whole pixels wholly, and parts of pixels in proportion", () => {
    const image = draw((canvas) => canvas.fill(box(2, 3, 4.5, 5.5), white));
    expect([image.at(1, 3), image.at(2, 3), image.at(3, 4), image.at(4, 4), image.at(3, 5), image.at(4, 5)]).toEqual([
      0, 255, 255, 128, 128, 64,
    ]);
    expect(image.area).toBeCloseTo(2.5 * 2.5, 1);
  });

  test("paints over what was there", () => {
    const image = draw((canvas) => {
      canvas.fill(box(0, 0, 10, 10), white);
      canvas.fill(box(2, 2, 4, 4), () => 0.2);
    });
    expect([image.at(1, 1), image.at(3, 3)]).toEqual([255, 51]);
  });

  test("cuts off what lies beyond its edges, and shades beyond white", () => {
    const image = draw((canvas) => canvas.fill(box(-5, -5, 40, 40), () => 3));
    expect(image.area).toBe(784);
  });

  test("follows the even-odd rule where an outline crosses itself", () => {
    const image = draw((canvas) => canvas.fill([...box(0, 0, 12, 12), [0, 0], ...box(4, 4, 8, 8), [4, 4]], white));
    expect([image.at(2, 2), image.at(2, 6), image.at(6, 6), image.at(10, 6)]).toEqual([255, 255, 0, 255]);
  });

  test("draws lines of the width asked for", () => {
    expect(
      draw((canvas) =>
        canvas.stroke(
          [
            [2, 10],
            [22, 10],
          ],
          2,
          white,
        ),
      ).area,
    ).toBeCloseTo(40, 5);
    expect(
      draw((canvas) =>
        canvas.stroke(
          [
            [5, 5],
            [17, 21],
          ],
          1.5,
          white,
        ),
      ).area,
    ).toBeCloseTo(30, 0);
    expect(
      draw((canvas) =>
        canvas.stroke(
          [
            [5, 5],
            [5, 5],
          ],
          2,
          white,
        ),
      ).area,
    ).toBe(0);
  });
});

describe("shapes", () => {
  test("an ellipse has the area of one", () => {
    expect(draw((canvas) => canvas.fill(ellipse([14, 14], 8, 5), white)).area).toBeCloseTo(Math.PI * 8 * 5, -1);
  });

  test("a curve begins and ends where it is told, and leans to its control point", () => {
    const points = curve([0, 0], [5, 10], [10, 0]);
    expect([points[0], points[4], points.at(-1)]).toEqual([
      [0, 0],
      [5, 5],
      [10, 0],
    ]);
  });

  test("a symmetric outline goes down on the right and up on the left", () => {
    expect(
      symmetric(
        [
          [15, 0],
          [16, 5],
        ],
        14,
      ),
    ).toEqual([
      [15, 0],
      [16, 5],
      [12, 5],
      [13, 0],
    ]);
  });
});
