import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import type { Engine, EngineInfo } from "millrace";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  classes,
  distance,
  feedsOf,
  floats,
  hasTestImages,
  labelsOf,
  noise,
  readTestImages,
  scoresOf,
} from "./engine-images.ts";
import { fileBeside, runNode, type Ending } from "./engine-process.ts";
import { referenceScores } from "./engine-reference.ts";

/** One engine under test. */
export interface EngineHarness<E extends Engine = Engine> {
  /** Opens the engine with the committed network, or with the file `model`. */
  open(options?: { readonly workers?: number; readonly model?: string }): Promise<E>;
  /** What `EngineInfo` must say. */
  readonly info: Pick<EngineInfo, "name" | "modelSha256">;
  /** How a child process opens the same engine: entry of the package, name of the factory, options as JSON. */
  readonly child: readonly [entry: string, factory: string, options: string];
  /** Tensors that are alive, where the engine can tell. */
  tensors?(engine: E): Promise<number>;
}

const ci = process.env["CI"] === "true";
const maximumDelayMs = 25;
// Outcomes of the runs of a process that closed its engine while they executed.
const drained = expect.stringMatching(/^done( done)*( ERR_STOPPED)+\n$/);

/**
 * What every engine must do, with the committed network.
 *
 * An engine that can't be loaded fails its tests where `CI` is `true`, and skips them elsewhere, with the reason.
 */
export async function describeEngine<E extends Engine>(name: string, harness: EngineHarness<E>): Promise<void> {
  const reason = ci ? undefined : await whyNot(harness);
  if (reason !== undefined) console.warn(`${name} is skipped: ${reason}`);
  describe.skipIf(reason !== undefined)(`${name} honours the engine contract`, () => {
    describe("results", () => describeResults(name, harness));
    describe("inputs", () => describeInputs(harness));
    describe("models", () => describeModels(harness));
    describe("threads", () => describeThreads(harness));
    describe("the end of the process", () => describeProcess(harness));
  });
}

async function whyNot(harness: EngineHarness): Promise<string | undefined> {
  try {
    await (await harness.open()).close();
    return undefined;
  } catch (cause) {
    return String(cause);
  }
}

function describeResults<E extends Engine>(name: string, harness: EngineHarness<E>): void {
  const engine = opened(harness);

  test("tells what it executes, and where", () => {
    expect(engine().info).toEqual({
      ...harness.info,
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      inputs: [{ name: "pixels", type: "uint8", shape: [-1, 28, 28, 1] }],
      outputs: [{ name: "scores", type: "float32", shape: [-1, classes] }],
      concurrency: 1,
      isMainThread: false,
    });
  });

  test.skipIf(!ci && !hasTestImages)(
    "names all 10,000 test images as the reference does",
    { timeout: 120_000 },
    async () => {
      const images = readTestImages();
      const scores = await scoresOf(engine(), images, 250);
      const reference = await referenceScores();
      const expected = labelsOf(reference);
      const labels = labelsOf(scores);
      const equal = labels.filter((label, index) => label === expected[index]).length;
      console.log(`${name}: ${equal} of ${expected.length} labels equal the reference's`);
      expect(equal).toBe(10_000);
      expect(distance(scores, reference)).toBeLessThan(1e-4);
    },
  );

  test.each([
    [1, 50],
    [7, 210],
    [256, 1_024],
    [1_000, 1_000],
  ])("gives the same in batches of %i", { timeout: 60_000 }, async (batch, count) => {
    const images = noise(count);
    const scores = await scoresOf(engine(), images, batch);
    expect(distance(scores, await scoresOf(engine(), images, 64))).toBeLessThan(1e-4);
  });

  test("answers with one row of scores per image", async () => {
    const { scores } = await engine().run(feedsOf(noise(3), 0, 3));
    expect(scores).toMatchObject({ type: "float32", shape: [3, classes] });
    expect(floats(scores).length).toBe(3 * classes);
  });

  if (harness.tensors === undefined) return;
  test("leaves no tensor behind", async () => {
    const images = noise(64);
    await engine().run(feedsOf(images, 0, 64));
    const before = await harness.tensors?.(engine());
    await scoresOf(engine(), images, 2);
    expect(await harness.tensors?.(engine())).toBe(before);
    expect(before).toBeGreaterThan(0);
  });
}

function describeInputs(harness: EngineHarness): void {
  const engine = opened(harness);
  const pixels = new Uint8Array(784);

  test.each([
    ["an input that is missing", {}, undefined],
    ["an unknown name", { image: { type: "uint8", shape: [1, 28, 28, 1], data: pixels } }, [1, 28, 28, 1]],
    [
      "another type",
      { pixels: { type: "float32", shape: [1, 28, 28, 1], data: new Float32Array(784) } },
      [1, 28, 28, 1],
    ],
    [
      "an array of another type",
      { pixels: { type: "uint8", shape: [1, 28, 28, 1], data: new Int32Array(784) } },
      [1, 28, 28, 1],
    ],
    ["another rank", { pixels: { type: "uint8", shape: [1, 784], data: pixels } }, [1, 784]],
    ["other dimensions", { pixels: { type: "uint8", shape: [1, 14, 56, 1], data: pixels } }, [1, 14, 56, 1]],
    ["no rows", { pixels: { type: "uint8", shape: [0, 28, 28, 1], data: new Uint8Array() } }, [0, 28, 28, 1]],
    [
      "fewer elements than its shape",
      { pixels: { type: "uint8", shape: [2, 28, 28, 1], data: pixels } },
      [2, 28, 28, 1],
    ],
  ] as const)("refuses %s, with its shape", async (_, feeds, shape) => {
    await expect(engine().run(feeds)).rejects.toMatchObject({ code: "ERR_INFERENCE", retryable: false, shape });
  });

  test("takes the buffer of its input, at once and while others run", async () => {
    const feeds = [feedsOf(noise(2), 0, 2), feedsOf(noise(2), 0, 2), feedsOf(noise(2), 0, 2)];
    const runs = feeds.map((feed) => engine().run(feed));
    expect(feeds.map((feed) => feed["pixels"]?.data.buffer.byteLength)).toEqual([0, 0, 0]);
    await Promise.all(runs);
    await expect(engine().run(feeds[0] ?? {})).rejects.toMatchObject({ code: "ERR_INFERENCE", message: /detached/ });
  });

  test("copies a view of a part of a buffer, and leaves the rest alone", async () => {
    const images = noise(3);
    const data = images.subarray(784, 2 * 784);
    const { scores } = await engine().run({ pixels: { type: "uint8", shape: [1, 28, 28, 1], data } });
    expect(images).toEqual(noise(3));
    const { scores: whole } = await engine().run(feedsOf(images, 1, 2));
    expect(distance(floats(scores), floats(whole))).toBe(0);
  });

  test("refuses a run whose signal has aborted, and takes one back that has not begun", async () => {
    const aborted = { signal: AbortSignal.abort() };
    await expect(engine().run(feedsOf(noise(1), 0, 1), aborted)).rejects.toMatchObject({ code: "ERR_STOPPED" });

    const controller = new AbortController();
    const begun = engine().run(feedsOf(noise(500), 0, 500), { signal: controller.signal });
    const queued = engine().run(feedsOf(noise(1), 0, 1), { signal: controller.signal });
    controller.abort();
    await expect(queued).rejects.toMatchObject({ code: "ERR_STOPPED" });
    await expect(begun).resolves.toMatchObject({ scores: { shape: [500, classes] } });
  });
}

function describeModels(harness: EngineHarness): void {
  test.each([
    ["is not there", fileBeside("no-such-model"), /no-such-model: ENOENT/],
    ["is no model", fileBeside("engine-child.js"), /engine-child\.js: ./],
  ])("refuses a file that %s, and leaves no thread", async (_, model, message) => {
    const before = threads();
    const error = await harness.open({ model, workers: 2 }).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: "ERR_CONFIG", message, cause: expect.any(Error) });
    expect(threads()).toBe(before);
  });

  test.each([0, 1.5, Number.NaN])("refuses %d workers", async (workers) => {
    await expect(async () => harness.open({ workers })).rejects.toMatchObject({
      code: "ERR_CONFIG",
      message: /"workers"/,
    });
  });
}

function describeThreads(harness: EngineHarness): void {
  test("runs overlap on several workers, and keep their order on one", async () => {
    const finished: string[] = [];
    const race = async (engine: Engine): Promise<void> => {
      await Promise.all([
        engine.run(feedsOf(noise(1_000), 0, 1_000)).then(() => finished.push("large")),
        engine.run(feedsOf(noise(1), 0, 1)).then(() => finished.push("small")),
      ]);
      await engine.close();
    };
    const two = await harness.open({ workers: 2 });
    expect(two.info.concurrency).toBe(2);
    await Promise.all([two.run(feedsOf(noise(1), 0, 1)), two.run(feedsOf(noise(1), 0, 1))]);
    await race(two);
    await race(await harness.open());
    expect(finished).toEqual(["small", "large", "large", "small"]);
  });

  test("the event loop keeps ticking while a run executes", async () => {
    const engine = await harness.open();
    await engine.run(feedsOf(noise(1), 0, 1));
    // An engine that blocks the loop does so each time; a machine that is busy with something else does not.
    const delays: number[] = [];
    for (let attempt = 0; attempt < 3; attempt += 1) delays.push(await delayDuringRun(engine));
    await engine.close();
    expect(Math.min(...delays)).toBeLessThan(maximumDelayMs);
  });

  test("close waits for the run that has begun, refuses the others, and leaves no thread", async () => {
    const before = threads();
    const engine = await harness.open({ workers: 2 });
    expect(threads()).toBe(before + 2);
    const begun = [engine.run(feedsOf(noise(200), 0, 200)), engine.run(feedsOf(noise(200), 0, 200))];
    const queued = engine.run(feedsOf(noise(1), 0, 1));
    await Promise.all([
      engine.close(),
      engine.close(),
      expect(queued).rejects.toMatchObject({ code: "ERR_STOPPED" }),
      expect(Promise.all(begun)).resolves.toHaveLength(2),
    ]);
    expect(threads()).toBe(before);
    await expect(engine.run(feedsOf(noise(1), 0, 1))).rejects.toMatchObject({ code: "ERR_STOPPED" });
  });
}

function describeProcess(harness: EngineHarness): void {
  const child = (scenario: string, ...flags: string[]): Promise<Ending> =>
    runNode([...flags, fileBeside("engine-child.js"), scenario, ...harness.child]);

  test.concurrent.each([
    ["close", "closed in the middle of a run", { code: 0, stdout: drained }],
    ["openAndClose", "closed without a run", { code: 0, stdout: "end\n" }],
    ["leaveOpen", "never closed", { code: 0, stdout: "end\n" }],
    ["sigterm", "SIGTERM in the middle of a run", { signal: "SIGTERM" }],
    ["sigtermThenClose", "SIGTERM that closes, in the middle of a run", { code: 0, stdout: drained }],
    ["exit", "process.exit in the middle of a run", { code: 3 }],
    ["throw", "an uncaught error in the middle of a run", { code: 1, stderr: expect.stringContaining("Error: fatal") }],
    ["fatalThenRest", "a fatal error that waits for the engines", { code: 7, stdout: "at rest after: fatal\n" }],
  ])("%s: %s does not abort the process", { timeout: 60_000 }, async (scenario, _, ending) => {
    expect(await child(scenario)).toMatchObject(ending);
  });

  test("a worker that dies takes its run with it and is replaced", { timeout: 60_000 }, async () => {
    const ending = await child("crash", "--import", new URL("engine-stray-error.js", import.meta.url).href);
    expect(ending).toMatchObject({ code: 0, stdout: "done ERR_ENGINE\ndone done done\nfalse\n" });
  });
}

/** The longest time that the event loop was late while a run executed, milliseconds. */
async function delayDuringRun(engine: Engine): Promise<number> {
  const resolution = 5;
  const feeds = feedsOf(noise(3_000), 0, 3_000);
  const delay = monitorEventLoopDelay({ resolution });
  const begun = performance.now();
  delay.enable();
  await engine.run(feeds);
  expect(performance.now() - begun).toBeGreaterThan(maximumDelayMs);
  await sleep(2 * resolution);
  delay.disable();
  return delay.max / 1e6 - resolution;
}

/** An engine that is open for the tests of a block. */
function opened<E extends Engine>(harness: EngineHarness<E>): () => E {
  let engine: E | undefined;
  beforeAll(async () => {
    engine = await harness.open();
  });
  afterAll(() => engine?.close());
  return () => {
    if (engine === undefined) throw new Error("the engine is not open");
    return engine;
  };
}

/** Worker threads of this process that are alive. */
function threads(): number {
  // The report is untyped; this field lists one report for each worker.
  const report = process.report.getReport() as { readonly workers: readonly unknown[] };
  return report.workers.length;
}
