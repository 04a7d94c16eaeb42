import fc from "fast-check";

/** What an error policy answers; `RETRY` of an error that never ends becomes a dead letter. */
type Answer = "RETRY" | "CONTINUE" | "DEAD_LETTER";

/** Which values fail in an operation, how often, and what is answered. */
export interface Failure {
  readonly rest: number;
  readonly always: boolean;
  readonly answer: Answer;
}

/** One step of a random topology. `seed` makes it differ from others of its kind. */
export type Step =
  | {
      readonly kind: "map" | "filter" | "process" | "selectKey";
      readonly seed: number;
      readonly failure: Failure | undefined;
    }
  | { readonly kind: "flatMap"; readonly seed: number; readonly lazy: boolean; readonly failure: Failure | undefined }
  | {
      readonly kind: "mapAsync" | "mergeMap";
      readonly seed: number;
      readonly concurrency: number;
      readonly failure: Failure | undefined;
    }
  | {
      readonly kind: "mapBatch";
      readonly seed: number;
      readonly concurrency: number;
      readonly maxSize: number;
      readonly maxWaitMs: number;
      readonly failure: Failure | undefined;
    }
  | { readonly kind: "side"; readonly seed: number; readonly failure: undefined };

/** Each record goes one way or the other (a diamond), or both (a fan), and the ways meet again. */
export interface Fork {
  readonly kind: "diamond" | "fan";
  readonly seed: number;
  readonly left: readonly Operation[];
  readonly right: readonly Operation[];
}

export type Operation = Step | Fork;

export function isFork(operation: Operation): operation is Fork {
  return operation.kind === "diamond" || operation.kind === "fan";
}

const seed = fc.nat({ max: 50 });
const concurrency = fc.integer({ min: 1, max: 5 });

const failure: fc.Arbitrary<Failure | undefined> = fc.option(
  fc.oneof(
    fc.record({ rest: fc.nat({ max: 4 }), always: fc.constant(false), answer: fc.constant<Answer>("RETRY") }),
    fc.record({
      rest: fc.nat({ max: 4 }),
      always: fc.constant(true),
      answer: fc.constantFrom<Answer>("RETRY", "CONTINUE", "DEAD_LETTER"),
    }),
  ),
  { nil: undefined, freq: 2 },
);

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constantFrom("map" as const, "filter" as const, "process" as const, "selectKey" as const),
    seed,
    failure,
  }),
  fc.record({ kind: fc.constant("flatMap" as const), seed, lazy: fc.boolean(), failure }),
  fc.record({ kind: fc.constantFrom("mapAsync" as const, "mergeMap" as const), seed, concurrency, failure }),
  fc.record({
    kind: fc.constant("mapBatch" as const),
    seed,
    concurrency,
    maxSize: fc.integer({ min: 1, max: 6 }),
    maxWaitMs: fc.constantFrom(0, 0, 15),
    failure,
  }),
  fc.record({ kind: fc.constant("side" as const), seed, failure: fc.constant(undefined) }),
);

export const operations: fc.Arbitrary<readonly Operation[]> = fc.letrec<{ one: Operation; list: readonly Operation[] }>(
  (tie) => ({
    one: fc.oneof(
      { maxDepth: 2, depthSize: "small", withCrossShrink: true },
      { weight: 5, arbitrary: step },
      {
        weight: 2,
        arbitrary: fc.record({
          kind: fc.constantFrom("diamond" as const, "fan" as const),
          seed,
          left: fc.array(tie("one"), { minLength: 1, maxLength: 2 }).filter(isWay),
          right: fc.array(tie("one"), { minLength: 1, maxLength: 2 }).filter(isWay),
        }),
      },
    ),
    list: fc.array(tie("one"), { maxLength: 4 }),
  }),
).list;

/** A way of nothing but side results would be the stream itself, which a merge of both ways would join last. */
function isWay(list: readonly Operation[]): boolean {
  return list.some(({ kind }) => kind !== "side");
}

export function isAsync(list: readonly Operation[]): boolean {
  return list.some((operation) => {
    if (isFork(operation)) return isAsync(operation.left) || isAsync(operation.right);
    return operation.kind === "mapAsync" || operation.kind === "mergeMap" || operation.kind === "mapBatch";
  });
}

/** The name of the node that an operation becomes: its place in the tree. */
export function nameOf(place: readonly (string | number)[]): string {
  return `n${place.join("-")}`;
}
