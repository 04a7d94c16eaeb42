import { Histogram, latencyBoundsMs } from "../core/histogram.ts";

/** How long a node's asynchronous calls take, and for how long there was one. Times are milliseconds on the scheduler's clock. */
export class CallTimes {
  /** Durations of the calls that have ended. */
  readonly durations: Histogram = new Histogram(latencyBoundsMs);
  /** Calls that have not ended. */
  underWay = 0;
  /** Calls that have. */
  ended = 0;
  private since = 0;
  private before = 0;

  begin(now: number): void {
    if (this.underWay === 0) this.since = now;
    this.underWay += 1;
  }

  /** Gives the call's duration. */
  end(began: number, now: number): number {
    this.underWay -= 1;
    this.ended += 1;
    if (this.underWay === 0) this.before += now - this.since;
    this.durations.observe(now - began);
    return now - began;
  }

  /** Time in which at least one call was under way; one that hangs counts up to `now`. */
  occupiedMs(now: number): number {
    return this.underWay === 0 ? this.before : this.before + now - this.since;
  }
}
