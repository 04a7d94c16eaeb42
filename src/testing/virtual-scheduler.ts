import { Subscription, type SchedulerAction, type SchedulerLike } from "rxjs";
import { ConfigError } from "../core/errors.ts";

/** 2026-01-01T00:00:00Z. */
const defaultStart = 1_767_225_600_000;

/**
 * An RxJS scheduler whose clock stands still until `advance` moves it.
 *
 * What is due at one instant runs in the order in which it was scheduled, as timers do. RxJS's own `VirtualTimeScheduler` runs to the end of its queue,
 * which a timer that repeats never has.
 */
export class VirtualScheduler implements SchedulerLike {
  private readonly clock: VirtualClock;

  /**
   * @param start where the clock begins, milliseconds since the epoch @default 2026-01-01T00:00:00Z; or another scheduler, whose clock this
   * one then shares while its timers are counted apart
   */
  constructor(start: number | VirtualScheduler = defaultStart) {
    this.clock = typeof start === "number" ? new VirtualClock(start) : start.clock;
  }

  /** Milliseconds since the epoch. */
  now(): number {
    return this.clock.now;
  }

  /** Timers of this scheduler that have not run. */
  get pending(): number {
    return this.clock.count(this);
  }

  /** When the next timer of this clock is due, milliseconds since the epoch; undefined without one. */
  get nextDue(): number | undefined {
    return this.clock.nextDue;
  }

  /** An infinite delay is never due. */
  schedule<T>(work: (this: SchedulerAction<T>, state?: T) => void, delay: number = 0, state?: T): Subscription {
    return new VirtualAction(work, this, this.clock).schedule(state, delay);
  }

  /**
   * Moves the clock and runs everything that is due until then, in order, also what is scheduled meanwhile.
   *
   * Promises get no turn in between: `TopologyTestDriver.advanceWallClockTime` gives them one after each instant. What a timer throws is
   * thrown here; the clock stands at that timer then.
   *
   * Errors: `ERR_CONFIG` for a time that is negative or infinite.
   *
   * @param ms milliseconds, minimum 0
   */
  advance(ms: number): void {
    if (!Number.isFinite(ms) || ms < 0)
      throw new ConfigError(`time advances by at least 0 milliseconds, got ${String(ms)}`);
    this.clock.advanceTo(this.clock.now + ms);
  }
}

/** What waits in the queue of a clock. */
interface Timer {
  readonly owner: VirtualScheduler;
  due: number;
  run(): void;
}

/** The time that several schedulers share, and what waits for it. */
class VirtualClock {
  now: number;
  /** By the time at which they are due; equal ones in the order of scheduling. */
  private readonly timers: Timer[] = [];

  constructor(start: number) {
    this.now = start;
  }

  get nextDue(): number | undefined {
    return this.timers[0]?.due;
  }

  count(owner: VirtualScheduler): number {
    return this.timers.reduce((count, timer) => (timer.owner === owner ? count + 1 : count), 0);
  }

  add(timer: Timer, delay: number): void {
    timer.due = this.now + Math.max(0, delay);
    const later = this.timers.findIndex(({ due }) => due > timer.due);
    this.timers.splice(later === -1 ? this.timers.length : later, 0, timer);
  }

  remove(timer: Timer): void {
    const index = this.timers.indexOf(timer);
    if (index !== -1) this.timers.splice(index, 1);
  }

  advanceTo(end: number): void {
    for (let next = this.timers[0]; next !== undefined && next.due <= end; next = this.timers[0]) {
      this.timers.shift();
      this.now = next.due;
      next.run();
    }
    this.now = end;
  }
}

/** One piece of work; it may schedule itself again from inside. */
class VirtualAction<T> extends Subscription implements SchedulerAction<T>, Timer {
  readonly owner: VirtualScheduler;
  due = 0;
  private readonly work: (this: SchedulerAction<T>, state?: T) => void;
  private readonly clock: VirtualClock;
  private state: T | undefined = undefined;

  constructor(work: (this: SchedulerAction<T>, state?: T) => void, owner: VirtualScheduler, clock: VirtualClock) {
    super();
    this.work = work;
    this.owner = owner;
    this.clock = clock;
  }

  schedule(state?: T, delay: number = 0): Subscription {
    if (this.closed) return this;
    this.state = state;
    this.clock.remove(this);
    if (delay !== Infinity) this.clock.add(this, delay);
    return this;
  }

  run(): void {
    this.work(this.state);
  }

  override unsubscribe(): void {
    this.clock.remove(this);
    super.unsubscribe();
  }
}
