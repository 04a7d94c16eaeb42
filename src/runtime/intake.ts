import type { Delivery } from "../core/broker.ts";
import { StoppedError } from "../core/errors.ts";
import { DeliveryLineage, type LineageEnd } from "../core/lineage.ts";
import type { Pressure } from "../operators/pressure.ts";
import type { Ordered } from "../topology/nodes.ts";
import { Lanes } from "./lanes.ts";
import type { Inlet } from "./outlet.ts";

/** Where the deliveries of one source go, and in what order its results are kept. */
export interface Route {
  readonly inlet: Inlet<DeliveryLineage>;
  readonly ordered: Ordered;
}

/**
 * Turns deliveries into lineages and lets them in as there is room; those without an order to keep at once, since fan-outs and batches let them
 * take turns. What waits is bounded by the broker's credit.
 */
export class Intake {
  private readonly pressure: Pressure;
  private readonly end: LineageEnd;
  private readonly lanes = new Lanes();
  private waiting: { readonly delivery: Delivery; readonly route: Route }[] = [];
  private next = 0;
  private stopped = false;

  constructor(pressure: Pressure, end: LineageEnd) {
    this.pressure = pressure;
    this.end = end;
  }

  take(delivery: Delivery, route: Route): void {
    if (this.stopped) return this.giveBack(delivery);
    if (isUnordered(delivery, route) || (this.pressure.open && this.waiting.length === 0))
      return this.admit(delivery, route);
    this.waiting.push({ delivery, route });
    if (this.waiting.length === 1) this.pressure.ask(() => this.turn());
  }

  /** Nothing is let in any more; what waits is given back. */
  stop(): void {
    this.stopped = true;
    const waiting = this.waiting.slice(this.next);
    this.waiting = [];
    this.next = 0;
    for (const { delivery } of waiting) this.giveBack(delivery);
  }

  private giveBack(delivery: Delivery): void {
    new DeliveryLineage(delivery, undefined, this.end).release(new StoppedError("drained before it was begun"));
  }

  private turn(): boolean {
    const first = this.waiting[this.next];
    if (first !== undefined) {
      this.next += 1;
      this.forget();
      this.admit(first.delivery, first.route);
    }
    if (this.next < this.waiting.length) return true;
    this.waiting = [];
    this.next = 0;
    return false;
  }

  /** With a backlog the queue is never empty: what has been let in must go. */
  private forget(): void {
    if (this.next < 1024) return;
    this.waiting = this.waiting.slice(this.next);
    this.next = 0;
  }

  private admit(delivery: Delivery, { inlet, ordered }: Route): void {
    const lines = delivery.lane === undefined ? undefined : this.lanes.linesOf(delivery.lane);
    const lineage = new DeliveryLineage(delivery, lines, this.end);
    if (lineage.over) return lineage.done(); // its lane was lost while it waited
    const line = lines?.lineOf(delivery, ordered);
    if (line !== undefined) lineage.enter(line);
    inlet.next(lineage);
  }
}

function isUnordered(delivery: Delivery, { ordered }: Route): boolean {
  return delivery.lane === undefined || ordered === false || (ordered === "key" && delivery.record.key === null);
}
