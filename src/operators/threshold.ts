import type { Pressure } from "./pressure.ts";

/** Closes the valve while a queue is at its limit or above; opens it again below. */
export class Threshold {
  private readonly limit: number;
  private readonly pressure: Pressure;
  private raised = false;

  constructor(limit: number, pressure: Pressure) {
    this.limit = limit;
    this.pressure = pressure;
  }

  measure(size: number): void {
    const full = size >= this.limit;
    if (full === this.raised) return;
    this.raised = full;
    if (full) this.pressure.raise();
    else this.pressure.relieve();
  }
}
