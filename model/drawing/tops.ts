import type { Random } from "../random.ts";
import { type Canvas, ellipse, type Point, type Shade } from "./canvas.ts";
import { cloth, nothing, scaled } from "./cloth.ts";
import { around, axis } from "./garment.ts";

/** Short sleeves that stand off, and a round neck. */
export function tShirt(canvas: Canvas, random: Random): void {
  const shade = cloth(random, { light: [0.45, 0.9], striped: 0.15, printed: 0.05 });
  const body = random.between(6.5, 7.6);
  const sleeve = random.between(10.8, 12.8);
  const sleeveEnd = random.between(7.5, 10);
  const neck = random.between(2.8, 4);
  const outline: Point[] = [
    [neck, 0.3],
    [body - 0.3, 1.8],
    [sleeve, sleeveEnd - 1.5],
    [sleeve - 2, sleeveEnd + 0.8],
    [body, 8.2],
    [body - random.between(0, 0.4), 18],
    [body + random.between(-0.3, 0.3), 28],
  ];
  canvas.fill(around(outline), shade);
  canvas.fill(ellipse([axis, 0], neck, random.between(1.4, 2.4)), nothing);
}

/** Straps, a waist, and a skirt. */
export function dress(canvas: Canvas, random: Random): void {
  const shade = cloth(random, { light: [0.4, 0.85], striped: 0.05, printed: 0.2 });
  const chest = random.between(3.6, 4.6);
  const waist = chest - random.between(0, 0.8);
  const skirt = random.between(4.8, 7);
  const strap = random.between(2.2, 3.2);
  const outline: Point[] = [
    [strap - 0.8, 0],
    [strap + 0.6, 0],
    [chest, 5],
    [waist, 11],
    [skirt - 0.8, 20],
    [skirt, 28],
  ];
  canvas.fill(around(outline), shade);
  canvas.fill(ellipse([axis, 0], strap - 0.6, random.between(1.5, 3.5)), nothing);
  canvas.stroke(
    [
      [axis - waist, 11],
      [axis + waist, 11],
    ],
    0.7,
    scaled(shade, 0.75),
  );
}

/** Long sleeves beside the body, a round neck, and a ribbed hem. */
export function pullover(canvas: Canvas, random: Random): void {
  const shade = cloth(random, { light: [0.45, 0.95], striped: 0.1, printed: 0.05 });
  const neck = random.between(2.8, 3.8);
  const body = random.between(6.6, 7.4);
  const hemY = random.between(25.5, 27.5);
  sleevedTop(canvas, random, {
    shade,
    neck,
    body,
    hem: body,
    shoulderY: 2.4,
    cuffY: random.between(22.5, 26.5),
    hemY,
    spread: random.between(3.6, 4.8),
    seam: 0.35,
  });
  canvas.fill(ellipse([axis, 0.6], neck, random.between(0.8, 1.8)), nothing);
  const ribbing = hemY - 1.4;
  canvas.stroke(
    [
      [axis - body, ribbing],
      [axis + body, ribbing],
    ],
    0.6,
    scaled(shade, 0.85),
  );
}

/** Long sleeves, narrow, high at the neck, open from top to bottom along a dark line. */
export function coat(canvas: Canvas, random: Random): void {
  const shade = cloth(random, { light: [0.55, 0.95] });
  const neck = random.between(1.8, 2.6);
  const body = random.between(5.6, 6.6);
  const hemY = random.between(25, 27);
  sleevedTop(canvas, random, {
    shade,
    neck,
    body,
    hem: body + random.between(-0.3, 0.5),
    shoulderY: random.between(2.2, 3),
    cuffY: random.between(19, 24),
    hemY,
    spread: random.between(2.2, 4),
    seam: random.between(0.4, 0.9),
  });
  canvas.stroke(
    [
      [axis, 1],
      [axis, hemY],
    ],
    random.between(0.8, 1.3),
    scaled(shade, random.between(0.2, 0.5)),
  );
  for (const side of [1, -1]) {
    const lapel: Point[] = [
      [axis + side * neck, 0.5],
      [axis + side * 0.5, 5],
    ];
    canvas.stroke(lapel, 0.8, scaled(shade, 0.65));
  }
}

/** Sleeves to the elbow, wide, flared at the hem, with a collar and a row of buttons. */
export function shirt(canvas: Canvas, random: Random): void {
  const shade = cloth(random, { light: [0.35, 0.85], printed: 0.25 });
  const neck = random.between(2, 3);
  const body = random.between(7, 7.9);
  const hemY = random.between(25.2, 26.8);
  sleevedTop(canvas, random, {
    shade,
    neck,
    body,
    hem: body + random.between(0.6, 1.8),
    shoulderY: random.between(0.7, 1.6),
    cuffY: random.between(10.5, 15),
    hemY,
    spread: random.between(1.6, 2.8),
    seam: random.between(0.6, 0.95),
  });
  canvas.fill(ellipse([axis, 0.5], neck, random.between(1, 1.8)), nothing);
  for (let y = 3; y < hemY; y += 3) canvas.fill(ellipse([axis, y], 0.6, 0.6), scaled(shade, 0.5));
  for (const side of [1, -1]) {
    const collar: Point[] = [
      [axis + side * neck, 0.4],
      [axis, 3.5],
    ];
    canvas.stroke(collar, 1.1, scaled(shade, 1.15));
  }
}

interface Top {
  readonly shade: Shade;
  /** Half the width of the neck, the body under the arms, and the hem. */
  readonly neck: number;
  readonly body: number;
  readonly hem: number;
  /** Height of the shoulders, the cuffs and the hem. */
  readonly shoulderY: number;
  readonly cuffY: number;
  readonly hemY: number;
  /** How far the cuffs stand off from the body. */
  readonly spread: number;
  /** Brightness of the seam between body and sleeves, as a share of the cloth's. */
  readonly seam: number;
}

/** A top with sleeves that hang beside the body. */
function sleevedTop(canvas: Canvas, random: Random, top: Top): void {
  const { shade, neck, body, hem, shoulderY, cuffY, hemY, spread } = top;
  const sleeveWidth = random.between(2.4, 3);
  const sleeve: Point[] = [
    [body - 1, shoulderY],
    [body + 1.3, shoulderY + 1.6],
    [body + spread, cuffY],
    [body + spread - sleeveWidth, cuffY + 0.5],
    [body - 0.2, Math.min(8, cuffY)],
  ];
  for (const side of [1, -1])
    canvas.fill(
      sleeve.map(([x, y]): Point => [axis + side * x, y]),
      shade,
    );
  const outline: Point[] = [
    [neck, 0.5],
    [body - 0.6, shoulderY],
    [body, 9],
    [hem, hemY],
  ];
  canvas.fill(around(outline), shade);
  for (const side of [1, -1]) {
    const seam: Point[] = [
      [axis + side * (body - 0.4), 7],
      [axis + side * (body + 0.3), Math.min(cuffY, hemY)],
    ];
    canvas.stroke(seam, 0.7, scaled(shade, top.seam));
  }
}
