import type { Arrival, Arrivals } from "../core/arrivals.ts";
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
  private readonly arrivals: Arrivals;
  private readonly lanes = new Lanes();
  private waiting: Waiting[] = [];
  private next = 0;
  private stopped = false;

  constructor(pressure: Pressure, end: LineageEnd, arrivals: Arrivals) {
    this.pressure = pressure;
    this.end = end;
    this.arrivals = arrivals;
  }

  take(delivery: Delivery, route: Route): void {
    const arrival = this.arrivals.arrive();
    if (this.stopped) return this.giveBack(delivery, arrival);
    if (isUnordered(delivery, route) || (this.pressure.open && this.waiting.length === 0))
      return this.admit(delivery, route, arrival);
    this.waiting.push({ delivery, route, arrival });
    if (this.waiting.length === 1) this.pressure.ask(() => this.turn());
  }

  /** Nothing is let in any more; what waits is given back. */
  stop(): void {
    this.stopped = true;
    const waiting = this.waiting.slice(this.next);
    this.waiting = [];
    this.next = 0;
    for (const { delivery, arrival } of waiting) this.giveBack(delivery, arrival);
  }

  private giveBack(delivery: Delivery, arrival: Arrival): void {
    const lineage = new DeliveryLineage(delivery, undefined, this.end);
    lineage.arrival = arrival;
    lineage.release(new StoppedError("drained before it was begun"));
  }

  private turn(): boolean {
    const first = this.waiting[this.next];
    if (first !== undefined) {
      this.next += 1;
      this.forget();
      this.admit(first.delivery, first.route, first.arrival);
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

  private admit(delivery: Delivery, { inlet, ordered }: Route, arrival: Arrival): void {
    const lines = delivery.lane === undefined ? undefined : this.lanes.linesOf(delivery.lane);
    const lineage = new DeliveryLineage(delivery, lines, this.end);
    lineage.arrival = arrival;
    if (lineage.over) return lineage.done(); // its lane was lost while it waited
    const line = lines?.lineOf(delivery, ordered);
    if (line !== undefined) lineage.enter(line);
    inlet.next(lineage);
  }
}

/** A delivery that there is no room for yet. */
interface Waiting {
  readonly delivery: Delivery;
  readonly route: Route;
  readonly arrival: Arrival;
}

function isUnordered(delivery: Delivery, { ordered }: Route): boolean {
  return delivery.lane === undefined || ordered === false || (ordered === "key" && delivery.record.key === null);
}
