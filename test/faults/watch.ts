import type { Delivery } from "millrace";
import { until } from "../../scripts/brokers/until.ts";
import type { Ledger } from "./ledger.ts";
import { placeOf } from "./sessions.ts";

/** Watches where the group stands: it must never go back, nor pass a record that was not settled. */
export class Watch {
  looks = 0;
  /** Looks at which a partition stood lower than before. */
  back = 0;
  /** Looks at which a partition stood behind a record that was not settled. */
  ahead = 0;
  private readonly ledger: Ledger;
  /** Offsets that were settled, by partition. */
  private readonly settled = new Map<number, Set<number>>();
  /** Offset of the first record that is not settled, by partition. */
  private readonly firstOpen = new Map<number, number>();
  private before: readonly number[] = [];
  private done = false;
  private readonly running: Promise<void>;

  constructor(ledger: Ledger) {
    this.ledger = ledger;
    this.running = until(() => this.glance(), { what: "the end of the watch", ms: 120_000 });
  }

  /** Acks a delivery, unless its partition was taken away: true when it was ours. */
  ack(delivery: Delivery): boolean {
    if (delivery.lane?.signal.aborted === true) return false;
    const { partition, offset } = placeOf(delivery);
    const settled = this.settled.get(partition) ?? new Set();
    this.settled.set(partition, settled.add(offset));
    let first = this.firstOpen.get(partition) ?? 0;
    while (settled.has(first)) first += 1;
    this.firstOpen.set(partition, first);
    delivery.ack();
    return true;
  }

  /** Resolves after so many more looks. */
  async look(times: number): Promise<void> {
    const enough = this.looks + times;
    await until(() => this.looks >= enough, { what: "looks at the group" });
  }

  /** Ends after one more look. */
  async end(): Promise<void> {
    this.done = true;
    await this.running;
  }

  private async glance(): Promise<boolean> {
    const { done, before } = this;
    const now = await this.ledger.committed().catch(() => undefined); // the coordinator is not there yet
    if (now === undefined) return done;
    this.looks += 1;
    if (now.some((offset, partition) => offset < (before[partition] ?? -1))) this.back += 1;
    if (now.some((offset, partition) => offset > (this.firstOpen.get(partition) ?? 0))) this.ahead += 1;
    this.before = now;
    return done;
  }
}
