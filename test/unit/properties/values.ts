import type { Serde } from "../../../src/core/serde.ts";
import { stringSerde } from "../../../src/core/serde.ts";
import type { Failure, Operation } from "./operation.ts";

/** What the values of random topologies become: used by the topology and by its model. */

export const integerSerde: Serde<number> = {
  serialize: (value) => stringSerde.serialize(String(value), [], ""),
  deserialize: (bytes) => Number(new TextDecoder().decode(bytes)),
};

export function mapped(value: number, { seed }: Pick<Operation, "seed">): number {
  return (value * 7 + seed) % 1_009;
}

export function passes(value: number, { seed }: Pick<Operation, "seed">): boolean {
  return (value + seed) % 3 !== 0;
}

export function goesLeft(value: number, { seed }: Pick<Operation, "seed">): boolean {
  return (value + seed) % 2 === 0;
}

export function keyFor(value: number, { seed }: Pick<Operation, "seed">): string {
  return `k${(value + seed) % 4}`;
}

/** None to three values. */
export function children(value: number, { seed }: Pick<Operation, "seed">): number[] {
  return Array.from({ length: (value + seed) % 4 }, (_, index) => (value * 3 + index) % 1_009);
}

/** Milliseconds on the clock, 0 to 40. */
export function latency(value: number, { seed }: Pick<Operation, "seed">, more = 0): number {
  return ((value * 31 + seed * 17 + more * 13) % 9) * 5;
}

export function fails(value: number, failure: Failure | undefined): boolean {
  return failure !== undefined && value % 5 === failure.rest;
}
