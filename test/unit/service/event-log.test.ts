import { describe, expect, test } from "vitest";
import { EventLog } from "../../../src/service/event-log.ts";
import { Runs } from "../../../src/service/runs.ts";

function fill(count: number, size = 1): EventLog {
  const runs = new Runs(10, () => 0);
  const log = new EventLog(runs);
  for (let index = 0; index < count; index += 1) {
    const predictions = Array.from({ length: size }, () => "Ankle boot");
    runs.result("a", `run-${index}`, { start: 0, predictions, scores: predictions.map(() => 1) });
  }
  return log;
}

/** The id of an event so many before the last. */
function before(log: EventLog, back: number): string {
  const [life = "", number = ""] = log.last.split("-");
  return `${life}-${Number(number) - back}`;
}

describe("the log of events", () => {
  test("gives what came after an event", () => {
    const log = fill(4);
    expect(log.after(log.last)).toEqual([]);
    expect(log.after(before(log, 2))?.map(({ id }) => id)).toEqual([before(log, 1), log.last]);
    expect(log.after(before(log, 12))).toHaveLength(12); // run, slice and run for each of four
    expect(log.after(before(log, 13))).toBeUndefined();
  });

  test("an empty one knows its beginning", () => {
    const log = fill(0);
    expect(log.after(log.last)).toEqual([]);
  });

  test.each(["", "0", "-", "x-1", "00000000-0"])("does not know %j", (id) => {
    expect(fill(1).after(id)).toBeUndefined();
  });

  test("what comes later is not known yet, and what is of another life is never", () => {
    const log = fill(1);
    expect(log.after(before(log, -1))).toBeUndefined();
    expect(log.after(fill(1).last)).toBeUndefined();
  });

  test("keeps two thousand events, and less when they are large", () => {
    const many = fill(1_000);
    expect(many.after(before(many, 2_000))).toHaveLength(2_000);
    expect(many.after(before(many, 2_001))).toBeUndefined();
    const large = fill(100, 10_000);
    const kept = Array.from({ length: 300 }, (_, back) => large.after(before(large, back))).filter(Boolean).length - 1;
    expect(kept).toBeGreaterThan(10);
    const events = large.after(before(large, kept)) ?? [];
    expect(events.reduce((sum, { data }) => sum + data.length, 0)).toBeLessThan(1_100_000);
  });
});
