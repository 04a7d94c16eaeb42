import type { Shade } from "./canvas.ts";
import type { Random } from "../random.ts";

/** What a garment is made of. */
export interface ClothOptions {
  /** Brightness of the cloth, 0..1: from and to. */
  readonly light: readonly [from: number, to: number];
  /** Share of garments with stripes, and of those with a print, 0..1. @default 0 */
  readonly striped?: number;
  readonly printed?: number;
}

/** Random cloth: a brightness, soft vertical folds, grain, and sometimes stripes or a print. */
export function cloth(random: Random, { light, striped = 0, printed = 0 }: ClothOptions): Shade {
  const base = random.between(...light);
  const fold = random.between(0.01, 0.05);
  const pace = random.between(0.5, 1.1);
  const phase = random.between(0, 6);
  const pattern = randomPattern(random, striped, printed);
  return (x, y) => base + fold * Math.sin(pace * x + phase) + pattern(x, y) * base + random.between(-0.03, 0.03);
}

/** A shade that is a share of another one: below 1 for a seam or a shadow, above for a bright edge. */
export function scaled(shade: Shade, share: number): Shade {
  return (x, y) => share * shade(x, y);
}

/** No cloth: the background. */
export const nothing: Shade = () => 0;

/** What is added to each place, as a share of the brightness. */
function randomPattern(random: Random, striped: number, printed: number): Shade {
  const choice = random.next();
  if (choice < striped) {
    const period = random.between(3, 6);
    const depth = random.between(0.15, 0.45);
    return (_, y) => (y % period < period / 2 ? -depth : 0);
  }
  if (choice < striped + printed) {
    const depth = random.between(0.2, 0.5);
    const [paceX, paceY] = [random.between(0.8, 2), random.between(0.8, 2)];
    return (x, y) => (Math.sin(paceX * x + Math.cos(paceY * y)) * Math.sin(paceY * y) > 0.2 ? -depth : 0);
  }
  return () => 0;
}
