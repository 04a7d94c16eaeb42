import type { Random } from "../random.ts";
import { type Canvas, curve, type Point } from "./canvas.ts";
import { cloth, scaled } from "./cloth.ts";
import { around, axis, type Draw } from "./garment.ts";
import { ankleBoot, sandal, sneaker } from "./shoes.ts";
import { coat, dress, pullover, shirt, tShirt } from "./tops.ts";

/** One drawing rule for each class, in the order of `labels`. */
export const garments: readonly Draw[] = [
  tShirt,
  trouser,
  pullover,
  dress,
  coat,
  sandal,
  shirt,
  sneaker,
  bag,
  ankleBoot,
];

/** A waistband and two legs. */
function trouser(canvas: Canvas, random: Random): void {
  const shade = cloth(random, { light: [0.4, 0.9] });
  const waist = random.between(3.6, 4.8);
  const hip = waist + random.between(0.4, 1);
  const hem = random.between(3.9, 5.4);
  const leg = random.between(2.2, 3.2);
  const crotch = random.between(7.5, 10);
  const outline: Point[] = [
    [waist, 0],
    [hip, 7],
    [hem, 28],
    [hem - leg, 28],
    [0.3, crotch],
    [0, crotch - 0.3],
  ];
  canvas.fill(around(outline), shade);
  canvas.stroke(
    [
      [axis, 2],
      [axis, crotch],
    ],
    0.6,
    scaled(shade, 0.75),
  );
  canvas.stroke(
    [
      [axis - waist, 1],
      [axis + waist, 1],
    ],
    0.6,
    scaled(shade, 0.8),
  );
}

/** A box with a handle. */
function bag(canvas: Canvas, random: Random): void {
  const shade = cloth(random, { light: [0.4, 0.85], printed: 0.1 });
  const top = random.between(9, 12);
  const bottom = random.between(23, 26);
  const half = random.between(10.5, 13.5);
  const handle = random.between(3.5, 6);
  canvas.stroke(
    curve([axis - handle, top + 0.5], [axis, -top * 0.9 + random.between(2, 8)], [axis + handle, top + 0.5]),
    1.2,
    scaled(shade, 0.9),
  );
  canvas.fill(
    around([
      [half - 2, top],
      [half, top + 1.5],
      [half + 0.4, bottom - 1.5],
      [half - 1.5, bottom],
    ]),
    shade,
  );
  canvas.stroke(
    [
      [axis - half, top + 4],
      [axis + half, top + 4],
    ],
    0.8,
    scaled(shade, 0.7),
  );
}
