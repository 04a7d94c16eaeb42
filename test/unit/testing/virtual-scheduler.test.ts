import { interval, take, timer, toArray } from "rxjs";
import { describe, expect, test } from "vitest";
import { ConfigError } from "../../../src/core/errors.ts";
import { VirtualScheduler } from "../../../src/testing/index.ts";

describe("VirtualScheduler", () => {
  test("stands still at the start of 2026, or where it is told", () => {
    expect(new Date(new VirtualScheduler().now()).toISOString()).toBe("2026-01-01T00:00:00.000Z");
    expect(new VirtualScheduler(5).now()).toBe(5);
  });

  test("runs what is due in order, equal times in the order of scheduling, and shows each its own time", () => {
    const scheduler = new VirtualScheduler(0);
    const seen: string[] = [];
    const note = (name: string) => (): void => void seen.push(`${name}@${scheduler.now()}`);
    scheduler.schedule(note("late"), 20);
    scheduler.schedule(note("first"), 10);
    scheduler.schedule(note("second"), 10);
    scheduler.schedule(note("at once"));
    expect(seen).toEqual([]);
    scheduler.advance(19);
    expect(seen).toEqual(["at once@0", "first@10", "second@10"]);
    expect(scheduler.now()).toBe(19);
    scheduler.advance(1);
    expect(seen.at(-1)).toBe("late@20");
  });

  test("runs within one advance what was scheduled during it, if it is due", () => {
    const scheduler = new VirtualScheduler(0);
    const seen: number[] = [];
    scheduler.schedule(function () {
      seen.push(scheduler.now());
      this.schedule(undefined, 10);
    }, 10);
    scheduler.advance(35);
    expect(seen).toEqual([10, 20, 30]);
    expect(scheduler.nextDue).toBe(40);
  });

  test("forgets what is unsubscribed, and never runs what is infinitely far", () => {
    const scheduler = new VirtualScheduler(0);
    const seen: string[] = [];
    const cancelled = scheduler.schedule(() => seen.push("cancelled"), 5);
    scheduler.schedule(() => seen.push("never"), Infinity);
    expect(scheduler.pending).toBe(1);
    cancelled.unsubscribe();
    expect(scheduler.pending).toBe(0);
    scheduler.advance(1_000_000);
    expect(seen).toEqual([]);
  });

  test("is a scheduler to RxJS", () => {
    const scheduler = new VirtualScheduler(0);
    const seen: unknown[] = [];
    interval(10, scheduler)
      .pipe(take(3), toArray())
      .subscribe((values) => seen.push(values));
    timer(25, scheduler).subscribe(() => seen.push("timer"));
    scheduler.advance(30);
    expect(seen).toEqual(["timer", [0, 1, 2]]);
    expect(scheduler.pending).toBe(0);
  });

  test("shares its clock with another that counts its own timers", () => {
    const scheduler = new VirtualScheduler(0);
    const sharing = new VirtualScheduler(scheduler);
    const seen: string[] = [];
    sharing.schedule(() => seen.push("sharing"), 10);
    scheduler.schedule(() => seen.push("scheduler"), 10);
    expect([scheduler.pending, sharing.pending]).toEqual([1, 1]);
    scheduler.advance(10);
    expect(seen).toEqual(["sharing", "scheduler"]);
    expect(sharing.now()).toBe(10);
  });

  test("throws what a timer throws, and goes on from there", () => {
    const scheduler = new VirtualScheduler(0);
    const seen: string[] = [];
    scheduler.schedule(() => {
      throw new Error("broken timer");
    }, 5);
    scheduler.schedule(() => seen.push("next"), 6);
    expect(() => scheduler.advance(10)).toThrow("broken timer");
    expect(scheduler.now()).toBe(5);
    scheduler.advance(1);
    expect(seen).toEqual(["next"]);
  });

  test.each([-1, NaN, Infinity])("does not advance by %s", (ms) => {
    expect(() => new VirtualScheduler().advance(ms)).toThrow(ConfigError);
  });
});
