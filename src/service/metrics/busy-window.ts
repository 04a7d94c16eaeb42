/** A share of time that is looked back over, milliseconds. */
const windowMs = 30_000;

interface Sample {
  readonly at: number;
  readonly busyMs: number;
}

/** Share of the last half a minute in which something was busy; needs no timer, and any number of readers get the same. */
export class BusyWindow {
  private readonly occupiedMs: (now: number) => number;
  /** Oldest first; the first one is at least as old as the window once there was time for that. */
  private samples: Sample[];

  /** @param occupiedMs time that it was busy up to now, milliseconds */
  constructor(occupiedMs: (now: number) => number, now: number) {
    this.occupiedMs = occupiedMs;
    this.samples = [{ at: now, busyMs: occupiedMs(now) }];
  }

  /** 0 to 1. */
  ratio(now: number): number {
    const busyMs = this.occupiedMs(now);
    const latest = this.samples.at(-1);
    // A second between samples bounds their number.
    if (latest === undefined || now - latest.at >= 1_000) this.samples.push({ at: now, busyMs });
    const first = this.samples.findLastIndex(({ at }) => at <= now - windowMs);
    if (first > 0) this.samples = this.samples.slice(first);
    const oldest = this.samples[0];
    if (oldest === undefined || now <= oldest.at) return 0;
    return Math.min(1, Math.max(0, (busyMs - oldest.busyMs) / (now - oldest.at)));
  }
}
