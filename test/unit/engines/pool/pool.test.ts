import { afterEach, describe, expect, test } from "vitest";
import type { WorkerPool } from "../../../../src/engines/pool/pool.ts";
import { enginesAtRest } from "../../../../src/engines/pool/rest.ts";
import { actions, openFixture, task, type FixtureOptions } from "./fixture-pool.ts";

const { answer, fail, crash, leave } = actions;

const pools: WorkerPool[] = [];

afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
});

describe("a pool of workers", () => {
  test("executes one run per worker, in order of arrival", async () => {
    const pool = await open({ workers: 2 });
    const order: number[] = [];
    const runs = [400, 10, 10, 10].map((ms, index) => pool.run(task(answer, ms)).then(() => order.push(index)));
    await Promise.all(runs);
    // Three short ones, one after the other on the second worker, while the first worker is busy.
    expect(order).toEqual([1, 2, 3, 0]);
    expect(await pool.stats()).toEqual([{ runs: 1 }, { runs: 3 }]);
  });

  test("wraps what the model throws", async () => {
    const pool = await open();
    const error = await pool.run(task(fail)).catch((cause: unknown) => cause);
    expect(error).toMatchObject({
      code: "ERR_INFERENCE",
      message: "fixture: the model failed: the model says no (a model)",
      cause: { message: "the model says no", stack: expect.stringContaining("fixture-worker.js") },
    });
    await expect(pool.run(task(answer))).resolves.toBeDefined();
  });
});

describe("a run that hangs", () => {
  test("fails, with all that wait and all that come; close does not wait for it", async () => {
    const pool = await open({ maxRunMs: 50 });
    const hung = pool.run(task(answer, 3_000));
    const waiting = pool.run(task(answer));
    const reason = { code: "ERR_ENGINE", retryable: true, message: expect.stringContaining("hangs") };
    await expect(hung).rejects.toMatchObject(reason);
    await expect(waiting).rejects.toMatchObject(reason);
    await expect(pool.run(task(answer))).rejects.toMatchObject(reason);
    const began = performance.now();
    await pool.close();
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});

describe("a worker that dies", () => {
  test.each([
    ["throws outside a run", crash, /a crash/],
    ["ends by itself", leave, /ended by itself/],
  ])("that %s fails its run and is replaced; the runs that wait are answered", async (_, action, message) => {
    const pool = await open();
    const lost = pool.run(task(action));
    const waiting = pool.run(task(answer));
    await expect(lost).rejects.toMatchObject({ code: "ERR_ENGINE", retryable: true, message });
    await expect(waiting).resolves.toBeDefined();
  });

  test("takes nothing with it that other workers do", async () => {
    const pool = await open({ workers: 2 });
    const lost = pool.run(task(crash));
    const others = Promise.all([1, 2, 3, 4].map(() => pool.run(task(answer, 5))));
    await expect(lost).rejects.toMatchObject({ code: "ERR_ENGINE" });
    await expect(others).resolves.toHaveLength(4);
  });

  test("fails the runs that wait when its replacement can't start, and is replaced later", async () => {
    const pool = await open({ options: { refuse: [1] } });
    const lost = pool.run(task(crash));
    const waiting = pool.run(task(answer));
    await expect(lost).rejects.toMatchObject({ code: "ERR_ENGINE" });
    await expect(waiting).rejects.toMatchObject({
      code: "ERR_ENGINE",
      cause: { code: "ERR_CONFIG", message: /start 1 is refused/ },
    });
    await expect(pool.run(task(answer))).resolves.toBeDefined();
  });

  test("is not replaced by one with another model", async () => {
    const pool = await open({ options: { changed: [1] } });
    const lost = pool.run(task(crash));
    const waiting = pool.run(task(answer));
    await expect(lost).rejects.toMatchObject({ code: "ERR_ENGINE" });
    await expect(waiting).rejects.toMatchObject({
      code: "ERR_ENGINE",
      cause: { message: /changed while it was in use/ },
    });
    await expect(pool.run(task(answer))).resolves.toBeDefined();
    expect(pool.info.modelSha256).toBe("same");
  });

  test("is not replaced after close", async () => {
    const starts = new SharedArrayBuffer(4);
    const pool = await open({ options: { starts } });
    await expect(pool.run(task(crash))).rejects.toMatchObject({ code: "ERR_ENGINE" });
    await pool.close();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(new Int32Array(starts)[0]).toBe(1);
  });
});

describe("opening a pool", () => {
  test("fails when one worker can't load the model, and leaves none behind", async () => {
    await expect(open({ workers: 3, options: { refuse: [1] } })).rejects.toMatchObject({
      code: "ERR_CONFIG",
      message: "fixture can't load the model a model: start 1 is refused",
      cause: { message: "start 1 is refused" },
    });
  });

  test("names the missing package and the remedy", async () => {
    await expect(open({ options: { missing: true } })).rejects.toMatchObject({
      code: "ERR_CONFIG",
      message: "some-engine is not installed. Install some-engine.",
    });
  });

  test("fails when the worker's file does not load", async () => {
    const file = new URL("no-such-worker.js", import.meta.url);
    await expect(openFixture({ file })).rejects.toMatchObject({
      code: "ERR_CONFIG",
      message: /no-such-worker/,
    });
  });
});

describe("enginesAtRest", () => {
  test("resolves at once when nothing runs", async () => {
    await open();
    await expect(enginesAtRest()).resolves.toBeUndefined();
  });

  test("waits for the run that has begun and holds the next one back until the caller has gone on", async () => {
    const pool = await open();
    const events: string[] = [];
    const runs = ["first", "second"].map((name) => pool.run(task(answer, 30)).then(() => events.push(name)));
    await enginesAtRest();
    events.push("at rest");
    await Promise.all(runs);
    expect(events).toEqual(["first", "at rest", "second"]);
  });

  test("holds a run back that comes meanwhile", async () => {
    const pool = await open({ workers: 2 });
    const events: string[] = [];
    const first = pool.run(task(answer, 50)).then(() => events.push("first"));
    const rest = enginesAtRest().then(() => events.push("at rest"));
    const second = pool.run(task(answer)).then(() => events.push("second"));
    await Promise.all([first, rest, second]);
    expect(events).toEqual(["first", "at rest", "second"]);
  });
});

async function open(options: FixtureOptions = {}): Promise<WorkerPool> {
  const pool = await openFixture(options);
  pools.push(pool);
  return pool;
}
