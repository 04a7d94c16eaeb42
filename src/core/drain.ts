import type { SchedulerLike, Subscription } from "rxjs";
import type { DrainReport } from "./broker.ts";

/** What a drain begins with. */
export interface DrainStart {
  /** Deliveries that were out. */
  readonly began: number;
  /** Those of them that were given back at once: they waited for another attempt. */
  readonly released: number;
  /** Longest wait for the others, milliseconds. */
  readonly ms: number;
  readonly scheduler: SchedulerLike;
  /** Called once the account is closed; maybe again. */
  readonly over: () => void;
}

/** The account of a drain: what becomes of the deliveries that were out when it began, until none is left or the time is over. */
export class Drain {
  readonly report: Promise<DrainReport>;
  private readonly began: number;
  private readonly over: () => void;
  private readonly timer: Subscription | undefined;
  private settled = 0;
  private released: number;
  private close: (report: DrainReport) => void = () => {};

  constructor({ began, released, ms, scheduler, over }: DrainStart) {
    this.began = began;
    this.released = released;
    this.over = over;
    this.report = new Promise((resolve) => (this.close = resolve));
    this.timer = began > released ? scheduler.schedule(() => this.finish(), ms) : undefined;
  }

  count(end: "settled" | "released"): void {
    if (end === "settled") this.settled += 1;
    else this.released += 1;
  }

  /** Closes the account: what is left is abandoned. */
  finish(): void {
    this.timer?.unsubscribe();
    const { settled, released } = this;
    this.close({ settled, released, abandoned: this.began - settled - released });
    this.over();
  }
}
