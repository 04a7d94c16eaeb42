/** A source of numbers that look random and are the same on every run for the same seed. */
export interface Random {
  /** The next number, at least 0 and below 1. */
  next(): number;
  /** An integer, at least 0 and below `end`. */
  integer(end: number): number;
  /** A number, at least `from` and below `to`. */
  between(from: number, to: number): number;
}

/**
 * Makes a source of random numbers from a seed (any integer). Good enough to shuffle and to draw with, not for secrets.
 *
 * Source: Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8(14), 2003: triple (13, 17, 5). The seed is
 * spread first, with the 32-bit finalizer of Appleby's MurmurHash3, so that neighbouring seeds do not give neighbouring
 * sequences.
 */
export function seededRandom(seed: number): Random {
  let state = spread(seed) || 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  return {
    next,
    integer: (end) => Math.floor(next() * end),
    between: (from, to) => from + next() * (to - from),
  };
}

/** The integers 0..count-1 in random order (Fisher and Yates). */
export function permutation(count: number, random: Random): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  for (let last = count - 1; last > 0; last -= 1) {
    const other = random.integer(last + 1);
    const moved = order[last]!; // both are below count
    order[last] = order[other]!;
    order[other] = moved;
  }
  return order;
}

function spread(seed: number): number {
  let mixed = Math.imul(seed ^ (seed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
