import type { Random } from "../random.ts";
import { type Canvas, curve } from "./canvas.ts";
import { cloth, scaled } from "./cloth.ts";

/** A thin sole and three straps. */
export function sandal(canvas: Canvas, random: Random): void {
  const shade = cloth(random, { light: [0.4, 0.85] });
  const ground = random.between(18, 20);
  const heel = random.between(0, 2.5);
  canvas.fill(
    [
      [0.5, ground - 1.2],
      [12, ground - 1.8],
      [27.5, ground - 2 - heel],
      [27.5, ground],
      [12, ground + 0.2],
      [1, ground],
    ],
    shade,
  );
  const strap = random.between(0.8, 1.6);
  const height = random.between(3.5, 6);
  canvas.stroke(curve([4, ground - 1.5], [8, ground - height - 2], [13, ground - 2]), strap, shade);
  canvas.stroke(curve([10, ground - 1.5], [14, ground - height - 3], [19, ground - 2]), strap, shade);
  canvas.stroke(curve([18, ground - 2], [20, ground - height - 4], [26, ground - height - 2]), strap, shade);
  canvas.stroke(
    [
      [26, ground - height - 2],
      [26.5, ground - 2],
    ],
    strap,
    shade,
  );
}

/** A low shoe with laces and a sole of another shade. */
export function sneaker(canvas: Canvas, random: Random): void {
  const shade = cloth(random, { light: [0.35, 0.85] });
  const ground = random.between(19, 20.5);
  const collar = ground - random.between(8, 9.5);
  const toe = ground - random.between(3.2, 4.2);
  canvas.fill(
    [
      [0.4, toe + 0.6],
      [4, toe - 0.2],
      [10, toe - 2.2],
      [16, collar + 0.6],
      [19, collar],
      [21.5, collar + 2],
      [25.5, collar + 0.5],
      [27.2, collar + 1.2],
      [27.6, ground],
      [0.8, ground],
    ],
    shade,
  );
  canvas.fill(
    [
      [0.4, ground - 1.6],
      [27.7, ground - 1.8],
      [27.4, ground],
      [1, ground],
    ],
    scaled(shade, random.between(0.3, 1.4)),
  );
  canvas.stroke(
    [
      [9, toe - 1.6],
      [13, toe + 0.8],
    ],
    0.8,
    scaled(shade, 0.6),
  );
  canvas.stroke(
    [
      [12, toe - 2.8],
      [16, toe - 0.4],
    ],
    0.8,
    scaled(shade, 0.6),
  );
}

/** A shoe with a shaft and a heel. */
export function ankleBoot(canvas: Canvas, random: Random): void {
  const shade = cloth(random, { light: [0.4, 0.9] });
  const top = random.between(2, 6);
  const ground = random.between(24, 26.5);
  const heel = random.between(0.5, 3);
  const shaft = random.between(12.5, 15);
  canvas.fill(
    [
      [shaft, top],
      [26, top + 0.4],
      [26, 14],
      [27, ground - 4],
      [27, ground],
      [21.5, ground],
      [20.5, ground - heel],
      [9, ground - heel * 0.4],
      [1, ground],
      [0.6, ground - 3],
      [6, ground - 6.5],
      [shaft - 1, ground - 10],
    ],
    shade,
  );
  canvas.stroke(
    [
      [0.8, ground - 1.2],
      [12, ground - 1.2 - heel * 0.4],
      [20, ground - heel - 1],
      [27, ground - heel - 1],
    ],
    0.7,
    scaled(shade, 0.6),
  );
}
