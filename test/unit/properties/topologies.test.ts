import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Result } from "./model.ts";
import { orderOf, play, runs, scenarios, type Outcome, type Scenario } from "./scenario.ts";
import type { Written } from "./watch.ts";

describe("a random topology", () => {
  test("without faults makes exactly what its model makes, in the order it promises", async () => {
    await fc.assert(
      fc.asyncProperty(scenarios({ faults: false }), async (scenario) => {
        const outcome = await play(scenario);
        expectSettled(outcome);
        expectOrder(scenario, outcome, outcome.written);
        expectSameRecords(outcome, outcome.written);
        expect(outcome.deadLetters.toSorted()).toEqual(lettersOf(outcome).toSorted());
      }),
      { numRuns: runs(150) },
    );
  });

  test("with faults at any time loses nothing, and repeats only under the same id", async () => {
    await fc.assert(
      fc.asyncProperty(scenarios({ faults: true }), async (scenario) => {
        const outcome = await play(scenario);
        expectSettled(outcome);
        const first = firstOfEachId(outcome.written);
        if (scenario.guarantee === "exactly_once") expect(outcome.written).toEqual(first);
        expectSameRecords(outcome, first);
        expectOrder(scenario, outcome, first);
        expect([...new Set(outcome.deadLetters)].toSorted()).toEqual(lettersOf(outcome).toSorted());
      }),
      { numRuns: runs(150) },
    );
  });
});

function expectSettled({ faults, inFlight, delivered, ended, ends }: Outcome): void {
  expect(faults).toEqual([]);
  expect(inFlight).toBe(0);
  expect(ended).toBe(delivered);
  for (const { piped, committed } of ends) expect(committed).toBe(piped);
}

/** Each delivery has made its results, no more and no fewer. */
function expectSameRecords({ expected }: Outcome, written: readonly Written[]): void {
  const wanted = [...expected].flatMap(([position, { results }]) =>
    results.map((result) => `${position} ${textOf(result)}`),
  );
  expect(written.map((record) => `${record.origin} ${textOf(record)}`).toSorted()).toEqual(wanted.toSorted());
}

function expectOrder(scenario: Scenario, { expected, inputs }: Outcome, written: readonly Written[]): void {
  const order = orderOf(scenario);
  if (order === false) return;
  const flowOf = (position: string): string | undefined => {
    const { partition, key } = inputs.get(position) ?? {};
    if (order === "partition") return String(partition);
    return key === null ? undefined : `${partition} ${key}`;
  };
  const flows = new Map<string, { readonly wanted: string[]; readonly got: string[] }>();
  const flow = (position: string, topic: string): { readonly wanted: string[]; readonly got: string[] } => {
    const name = `${topic} ${flowOf(position)}`;
    const known = flows.get(name) ?? { wanted: [], got: [] };
    flows.set(name, known);
    return known;
  };
  for (const [position, { results }] of expected)
    for (const result of results) flow(position, result.topic).wanted.push(textOf(result));
  for (const record of written) flow(record.origin, record.topic).got.push(textOf(record));
  for (const [name, { wanted, got }] of flows) if (!name.endsWith("undefined")) expect(got).toEqual(wanted);
}

function lettersOf({ expected }: Outcome): string[] {
  return [...expected].flatMap(([position, { deadLetters }]) => [...deadLetters].map((node) => `${position} ${node}`));
}

function firstOfEachId(written: readonly Written[]): Written[] {
  const seen = new Set<string>();
  return written.filter(({ id }) => {
    if (seen.has(id)) return false;
    seen.add(id);
    return true;
  });
}

function textOf({ topic, key, value }: Result | Written): string {
  return `${topic} ${key} ${value}`;
}
