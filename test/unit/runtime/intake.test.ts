import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { Arrivals } from "../../../src/core/arrivals.ts";
import type { Delivery, Lane } from "../../../src/core/broker.ts";
import type { DeliveryLineage } from "../../../src/core/lineage.ts";
import { Intake, type Route } from "../../../src/runtime/intake.ts";
import { Inlet } from "../../../src/runtime/outlet.ts";
import { Harness, turn } from "../operators/harness.ts";

const lane: Lane = { id: "T/0", signal: new AbortController().signal };

class Gate {
  readonly harness = new Harness();
  readonly let: DeliveryLineage[] = [];
  readonly intake = new Intake(this.harness.pressure, this.harness, new Arrivals(Date.now));
  private readonly route: Route;

  constructor() {
    const inlet = new Inlet<DeliveryLineage>();
    inlet.subscribe((lineage) => this.let.push(lineage));
    this.route = { inlet, ordered: "partition" };
  }

  take(...deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) this.intake.take(delivery, this.route);
  }

  delivery(value: string): Delivery {
    return { ...this.harness.envelope(value, { lane }).lineage.root.delivery, publish: () => undefined };
  }

  positions(): string[] {
    return this.let.map(({ delivery }) => delivery.position);
  }
}

describe("the intake", () => {
  test("lets deliveries in at once while the valve is open, else in the order of arrival when it opens", () => {
    const gate = new Gate();
    const [a, b, c, d] = ["a", "b", "c", "d"].map((value) => gate.delivery(value));
    gate.take(a!);
    gate.harness.pressure.raise();
    gate.take(b!, c!);
    expect(gate.positions()).toEqual([a!.position]);
    gate.harness.pressure.relieve();
    gate.take(d!);
    expect(gate.positions()).toEqual([a, b, c, d].map((delivery) => delivery!.position));
  });

  test("lets in at once what has no order to keep", () => {
    const gate = new Gate();
    gate.harness.pressure.raise();
    const ordered = gate.delivery("ordered");
    const { lane: _, ...unordered } = gate.delivery("unordered");
    gate.take(ordered, unordered);
    expect(gate.positions()).toEqual([unordered.position]);
  });

  test("lets in one at a time when each closes the valve again", () => {
    const gate = new Gate();
    const { pressure } = gate.harness;
    const inlet = new Inlet<DeliveryLineage>();
    const seen: string[] = [];
    inlet.subscribe(({ delivery }) => {
      seen.push(delivery.position);
      pressure.raise();
    });
    const route: Route = { inlet, ordered: "partition" };
    for (const value of ["a", "b", "c"]) gate.intake.take(gate.delivery(value), route);
    for (const count of [1, 2, 3]) {
      expect(seen).toHaveLength(count);
      pressure.relieve();
    }
  });

  test("gives back what waits when it stops, and what comes later", () => {
    const gate = new Gate();
    gate.harness.pressure.raise();
    gate.take(gate.delivery("a"), gate.delivery("b"));
    gate.intake.stop();
    gate.take(gate.delivery("c"));
    gate.harness.pressure.relieve();
    expect(gate.let).toEqual([]);
    expect(gate.harness.ended.released).toHaveLength(3);
  });

  test("does not let in what lost its lane while it waited, and accounts for it", () => {
    const gate = new Gate();
    const abort = new AbortController();
    gate.harness.pressure.raise();
    gate.take({ ...gate.delivery("a"), lane: { id: "lost", signal: abort.signal } }, gate.delivery("b"));
    abort.abort();
    gate.harness.pressure.relieve();
    expect(gate.let).toHaveLength(1);
    expect(gate.harness.ended.lost).toHaveLength(1);
  });

  test("keeps nothing of what it has let in, although something always waits", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const harness = new Harness();
    const intake = new Intake(harness.pressure, harness, new Arrivals(Date.now));
    const inlet = new Inlet<DeliveryLineage>();
    inlet.subscribe((lineage) => {
      harness.pressure.raise();
      lineage.done();
    });
    const route: Route = { inlet, ordered: "partition" };
    const refs: WeakRef<Delivery>[] = [];
    const put = (): void => {
      const { delivery } = new Harness().envelope("x", { lane }).lineage.root;
      refs.push(new WeakRef(delivery));
      intake.take(delivery, route);
    };
    for (let index = 0; index < 10; index += 1) put();
    // A backlog: as many come as are let in, and the queue is never empty.
    for (let index = 0; index < 10_000; index += 1) {
      put();
      harness.pressure.relieve();
    }
    await turn();
    collect();
    const kept = refs.filter((ref) => ref.deref() !== undefined).length;
    expect(kept).toBeLessThan(3_000);
  });
});
