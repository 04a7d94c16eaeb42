import fc from "fast-check";
import type { Ordered } from "../../../src/topology/nodes.ts";
import { TopologyTestDriver, VirtualScheduler } from "../../../src/testing/index.ts";
import { expectedOf, type Expected, type Item } from "./model.ts";
import { isAsync, operations, type Operation } from "./operation.ts";
import { topologyOf } from "./topology.ts";
import { integerSerde } from "./values.ts";
import { Watch, type Written } from "./watch.ts";

interface Input extends Item {
  readonly partition: number;
}

/** What happens to the app, one after the other. */
export type Step =
  | { readonly what: "pipe"; readonly inputs: readonly Input[] }
  | { readonly what: "advance"; readonly ms: number }
  | { readonly what: "redeliver" | "rebalance" | "crash" }
  /** The app drains, for longer than anything takes, and a new one starts. */
  | { readonly what: "restart" }
  /** The next writes fail, this many. */
  | { readonly what: "refuse"; readonly writes: number };

export interface Scenario {
  readonly operations: readonly Operation[];
  readonly ordered: Ordered;
  readonly partitions: number;
  readonly maxInFlight: number;
  readonly guarantee: "at_least_once" | "exactly_once";
  readonly steps: readonly Step[];
}

const pipe: fc.Arbitrary<Step> = fc.record({
  what: fc.constant("pipe" as const),
  inputs: fc.array(
    fc.record({
      key: fc.constantFrom(null, "a", "b", "c"),
      value: fc.nat({ max: 500 }),
      partition: fc.nat({ max: 2 }),
    }),
    { minLength: 1, maxLength: 8 },
  ),
});
const advance: fc.Arbitrary<Step> = fc.record({
  what: fc.constant("advance" as const),
  ms: fc.integer({ min: 1, max: 60 }),
});
const fault: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    what: fc.constantFrom("redeliver" as const, "rebalance" as const, "crash" as const, "restart" as const),
  }),
  fc.record({ what: fc.constant("refuse" as const), writes: fc.integer({ min: 1, max: 3 }) }),
);

export function scenarios({ faults }: { readonly faults: boolean }): fc.Arbitrary<Scenario> {
  return fc.record({
    operations,
    ordered: fc.constantFrom<Ordered>("partition", "key", false),
    partitions: fc.integer({ min: 1, max: 3 }),
    maxInFlight: fc.constantFrom(1, 2, 5, 1_000),
    guarantee: fc.constantFrom("at_least_once" as const, "exactly_once" as const),
    steps: fc.array(faults ? fc.oneof(pipe, advance, fault) : fc.oneof(pipe, advance), { minLength: 1, maxLength: 8 }),
  });
}

/** How a scenario ended. */
export interface Outcome {
  readonly faults: readonly string[];
  readonly inFlight: number;
  readonly delivered: number;
  /** Deliveries whose end was counted, one way or the other. */
  readonly ended: number;
  /** By partition: records that were piped in, and the committed offset. */
  readonly ends: readonly { readonly piped: number; readonly committed: number }[];
  readonly written: readonly Written[];
  readonly deadLetters: readonly string[];
  /** By position, in the order of each partition. */
  readonly expected: ReadonlyMap<string, Expected>;
  readonly inputs: ReadonlyMap<string, Input>;
}

const retry = { attempts: 4, minDelayMs: 10, maxDelayMs: 40 };

export async function play(scenario: Scenario): Promise<Outcome> {
  const { partitions, maxInFlight, guarantee, steps } = scenario;
  const scheduler = new VirtualScheduler();
  const driver = new TopologyTestDriver(topologyOf(scenario.operations, scenario.ordered, scheduler), {
    scheduler,
    maxInFlight,
    processingGuarantee: guarantee,
    topics: { IN: partitions, OUT: 1, SIDE: 1, "test.dlq": 1 },
    retry,
  });
  const inputs = new Map<string, Input>();
  const expected = new Map<string, Expected>();
  const watch = new Watch(
    driver.broker,
    (position) => expected.get(position) ?? { results: [], deadLetters: new Set() },
    "test.dlq",
  );
  const topic = driver.createInputTopic("IN", { value: integerSerde });
  const refusals = new Refusals(driver);
  const piped = Array.from({ length: partitions }, () => 0);
  for (const step of steps) {
    if (step.what === "pipe") {
      const placed = step.inputs.map((input) => ({ ...input, partition: input.partition % partitions }));
      for (const input of placed) {
        const position = `memory:IN/${input.partition}@${piped[input.partition]}`;
        piped[input.partition] = (piped[input.partition] ?? 0) + 1;
        inputs.set(position, input);
        expected.set(position, expectedOf(scenario.operations, input));
      }
      await topic.pipeRecords(placed);
    } else if (step.what === "advance") await driver.advanceWallClockTime(step.ms);
    else if (step.what === "refuse") refusals.add(step.writes);
    else if (step.what === "restart") await restart(driver, watch);
    else await driver[step.what]();
  }
  await finish(driver);
  const { delivered, settled, released, lost, inFlight } = driver.metrics;
  const written = watch.written();
  await driver.close();
  return {
    faults: watch.faults,
    inFlight,
    delivered,
    ended: settled + released + lost,
    ends: piped.map((count, partition) => ({
      piped: count,
      committed: driver.broker.committed("test", "IN", partition) ?? 0,
    })),
    written,
    deadLetters: watch.deadLetters(),
    expected,
    inputs,
  };
}

/** Time passes until nothing waits for it any more. */
async function finish(driver: TopologyTestDriver): Promise<void> {
  await driver.advanceWallClockTime(0);
  for (let rounds = 0; driver.scheduler.nextDue !== undefined && rounds < 100; rounds += 1)
    await driver.advanceWallClockTime(1_000);
}

async function restart(driver: TopologyTestDriver, watch: Watch): Promise<void> {
  const { outCount } = watch;
  const drainMs = 3_600_000;
  const closed = driver.app.close({ drainMs });
  await driver.advanceWallClockTime(drainMs);
  const { settled, released, abandoned } = await closed;
  // It has time for all: what is acked is abandoned only behind one that was given back.
  if (abandoned > 0 && released === 0) watch.faults.push(`a drain abandoned ${abandoned}`);
  if (settled + released + abandoned !== outCount)
    watch.faults.push(`a drain told of ${settled} + ${released} + ${abandoned} deliveries; ${outCount} were out`);
  await driver.crash(); // nothing is left to crash: this only starts the next one
}

/** Refuses the next writes; in all no more than one record stands with its attempts. */
class Refusals {
  private next = 0;
  private left = retry.attempts - 1;

  constructor(driver: TopologyTestDriver) {
    driver.broker.faults.refuseWrites(({ topic }) => {
      if (topic === "test.dlq" || this.next === 0 || this.left === 0) return undefined;
      this.next -= 1;
      this.left -= 1;
      return { message: "no leader", retryable: true };
    });
  }

  add(writes: number): void {
    this.next += writes;
  }
}

/** In what order results must stand: a node that reorders is needed to loosen it. */
export function orderOf({ operations: list, ordered }: Scenario): Ordered {
  return isAsync(list) ? ordered : "partition";
}

/** How many times to try, unless the environment asks for more. */
export function runs(count: number): number {
  return Number(process.env["PROPERTY_RUNS"] ?? count);
}
