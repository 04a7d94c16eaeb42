import type { Holds, Pressure } from "./pressure.ts";

/** Closes the valve while a queue is at its limit or above; opens it again below. */
export class Threshold {
  private readonly limit: number;
  private readonly pressure: Pressure;
  private readonly holds: Holds | undefined;
  private raised = false;

  /** @param holds says of which flows the queue has something @default of all */
  constructor(limit: number, pressure: Pressure, holds?: Holds) {
    this.limit = limit;
    this.pressure = pressure;
    this.holds = holds;
  }

  measure(size: number): void {
    const full = size >= this.limit;
    if (full === this.raised) return;
    this.raised = full;
    if (full) this.pressure.raise(this.holds);
    else this.pressure.relieve(this.holds);
  }
}
