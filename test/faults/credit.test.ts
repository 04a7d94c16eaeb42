import { setMaxListeners } from "node:events";
import type { Delivery, Lane } from "millrace";
import { describe, expect, inject, test } from "vitest";
import { Ledger, report } from "./ledger.ts";
import { openSession, placeOf, valueOf } from "./sessions.ts";
import { until } from "../../scripts/brokers/until.ts";

const kafka = inject("kafka");
const brokers = kafka?.brokers ?? [];

/** Takes deliveries and keeps them, until told to ack. */
class Hand {
  /** Most that were out at a time. */
  most = 0;
  /** Lanes that were taken away. */
  left = 0;
  /** Lanes of partitions that it had before. */
  returned = 0;
  readonly done = new Set<string>();
  private readonly held = new Set<Delivery>();
  private readonly lanes = new Map<number, Lane>();
  private acking = false;

  take(delivery: Delivery): void {
    this.note(delivery);
    if (this.acking) return this.ack(delivery);
    this.held.add(delivery);
    this.most = Math.max(this.most, this.held.size);
    delivery.lane?.signal.addEventListener("abort", () => this.held.delete(delivery));
  }

  get size(): number {
    return this.held.size;
  }

  /** Acks what it has, and from now on what it gets. */
  open(): void {
    this.acking = true;
    for (const delivery of this.held) this.ack(delivery);
  }

  private ack(delivery: Delivery): void {
    this.held.delete(delivery);
    this.done.add(valueOf(delivery));
    delivery.ack();
  }

  private note(delivery: Delivery): void {
    const { lane } = delivery;
    const { partition } = placeOf(delivery);
    const known = this.lanes.get(partition);
    if (lane === undefined || lane === known) return;
    if (known !== undefined) this.returned += 1;
    this.lanes.set(partition, lane);
    setMaxListeners(0, lane.signal);
    lane.signal.addEventListener("abort", () => (this.left += 1));
  }
}

describe.skipIf(kafka === undefined)("a member whose credit is used up", () => {
  // Red without `this.inFlight -= partition.unsettled` in src/brokers/kafka/hand-out.ts `drop`: the credit of what was taken away is gone.
  test.each(["at_least_once", "exactly_once"] as const)(
    "%s: partitions that are paused leave, come back, and are consumed",
    async (processingGuarantee) => {
      const ledger = await Ledger.open(brokers, { partitions: 4 });
      await ledger.send(1_000);
      const hand = new Hand();
      const session = await openSession(brokers, ledger, { maxInFlight: 10, processingGuarantee });
      const subscription = session.deliveries([ledger.input]).subscribe((delivery) => hand.take(delivery));
      await until(() => hand.size === 10, { what: "the credit to be used up", ms: 20_000 });
      while (hand.left < 2) {
        const other = await openSession(brokers, ledger, { maxInFlight: 10, processingGuarantee });
        let got = 0;
        const reading = other.deliveries([ledger.input]).subscribe(() => (got += 1));
        await until(() => got > 0 && hand.size === 10, { what: "the other to get some", ms: 20_000 });
        reading.unsubscribe();
        await other.close();
      }
      hand.open();
      await until(() => hand.done.size === 1_000, { what: () => `no hang: ${hand.done.size} of 1000`, ms: 30_000 });
      await ledger.allCommitted();
      const { left, returned, most } = hand;
      subscription.unsubscribe();
      await session.close();
      const { reordered: _, ...account } = ledger.account([...hand.done]);
      report(`no credit during rebalances, ${processingGuarantee}`, { left, returned }, { most, ...account });
      expect(left).toBeGreaterThanOrEqual(2);
      expect(returned).toBeGreaterThanOrEqual(1);
      expect(most).toBeLessThanOrEqual(10);
      expect(account).toMatchObject({ lost: 0, foreign: 0 });
      await ledger.close();
    },
  );
});
