import { describe, expect, test } from "vitest";
import { permutation, seededRandom } from "../../../model/random.ts";

const take = (seed: number, count: number): number[] => {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => random.next());
};

describe("seededRandom", () => {
  test("gives the same numbers for the same seed, and others for another", () => {
    expect(take(1, 5)).toEqual(take(1, 5));
    expect(take(1, 5)).not.toEqual(take(2, 5));
    expect(take(0, 2)).not.toEqual([0, 0]);
  });

  test("keeps its numbers, on which the drawn garments and the trained network depend", () => {
    expect(take(1, 3)).toMatchInlineSnapshot(`
      [
        0.12220489862374961,
        0.6699502021074295,
        0.5541375698521733,
      ]
    `);
  });

  test("spreads its numbers evenly over 0..1", () => {
    const tenths = Array.from({ length: 10 }, () => 0);
    for (const number of take(3, 100_000)) tenths[Math.floor(10 * number)]! += 1;
    for (const count of tenths) expect(Math.abs(count - 10_000)).toBeLessThan(500); // five standard deviations
  });

  test("gives integers and numbers inside the bounds that it is given", () => {
    const random = seededRandom(4);
    const integers = Array.from({ length: 1_000 }, () => random.integer(3));
    expect(new Set(integers)).toEqual(new Set([0, 1, 2]));
    const numbers = Array.from({ length: 1_000 }, () => random.between(-2, 3));
    expect(Math.min(...numbers)).toBeGreaterThanOrEqual(-2);
    expect(Math.max(...numbers)).toBeLessThan(3);
  });
});

describe("permutation", () => {
  test("has each index once, in another order", () => {
    const order = permutation(1_000, seededRandom(5));
    const sorted = Uint32Array.from({ length: 1_000 }, (_, index) => index);
    expect(order).not.toEqual(sorted);
    expect(order.toSorted()).toEqual(sorted);
  });

  test("puts each index at each place equally often", () => {
    const random = seededRandom(6);
    const counts = Array.from({ length: 4 }, () => Array.from({ length: 4 }, () => 0));
    for (let round = 0; round < 10_000; round += 1) {
      permutation(4, random).forEach((index, place) => (counts[index]![place]! += 1));
    }
    for (const count of counts.flat()) expect(Math.abs(count - 2_500)).toBeLessThan(220); // five standard deviations
  });
});
