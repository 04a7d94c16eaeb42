import { describe, expect, test } from "vitest";
import { memoryBroker } from "../../src/brokers/memory/index.ts";
import { StoppedError } from "../../src/core/errors.ts";
import { StreamsApp } from "../../src/runtime/streams-app.ts";
import { TopologyTestDriver, VirtualScheduler } from "../../src/testing/index.ts";
import { later, records, text, through, valuesOf } from "./streams.ts";

describe("closing an app", () => {
  test("gives back what has not begun and waits for the rest; the counters agree", async () => {
    const scheduler = new VirtualScheduler();
    const topology = through((stream) => stream.mapAsync((value) => later(scheduler, 100, value), { concurrency: 2 }));
    const driver = new TopologyTestDriver(topology, { scheduler });
    const values = Array.from({ length: 200 }, (_, index) => String(index));
    await driver.createInputTopic("IN", text).pipeRecords(records(...values));
    expect(driver.metrics.inFlight).toBe(200);
    const report = await driver.close({ drainMs: 5_000 });
    expect(report.abandoned).toBe(0);
    // 64 wait in the operator and 2 are under way; what the full queue kept out goes back.
    expect(report).toEqual({ settled: 66, released: 134, abandoned: 0 });
    expect(driver.metrics).toMatchObject({ delivered: 200, settled: 66, released: 134, inFlight: 0 });
    expect(await valuesOf(driver.createOutputTopic("OUT", text))).toEqual(values.slice(0, 66));
    expect(driver.broker.committed("test", "IN", 0)).toBe(66);
  });

  test("ends backoffs at once, and lets nothing overtake what it gives back", async () => {
    const topology = through((stream) =>
      stream.mapValues((value) => {
        if (value === "bad") throw new Error("bad");
        return value;
      }),
    );
    const driver = new TopologyTestDriver(topology, { errors: { process: "RETRY" } });
    await driver.createInputTopic("IN", text).pipeRecords(records("fine", "bad", "good"));
    const began = driver.scheduler.now();
    // The good one stands behind the bad one in its lane: it could neither be committed nor keep the order if it went out.
    expect(await driver.close()).toEqual({ settled: 0, released: 2, abandoned: 0 });
    expect(driver.scheduler.now()).toBe(began);
    expect(await valuesOf(driver.createOutputTopic("OUT", text))).toEqual(["fine"]);
    expect(driver.broker.committed("test", "IN", 0)).toBe(1);
  });

  test("gives back what fails while it drains, instead of trying again", async () => {
    const scheduler = new VirtualScheduler();
    const topology = through((stream) =>
      stream.mapAsync(
        async (value) => {
          await later(scheduler, 10, undefined);
          throw new Error(value);
        },
        { onError: "RETRY" },
      ),
    );
    const driver = new TopologyTestDriver(topology, { scheduler, retry: { minDelayMs: 5_000 } });
    await driver.createInputTopic("IN", text).pipeInput("a");
    const began = driver.scheduler.now();
    expect(await driver.close({ drainMs: 60_000 })).toEqual({ settled: 0, released: 1, abandoned: 0 });
    expect(driver.scheduler.now() - began).toBe(10);
  });

  test("while it starts leaves nothing open", async () => {
    const broker = memoryBroker();
    broker.createTopic("IN");
    const topology = through((stream) => stream);
    const app = new StreamsApp(topology, { applicationId: "app", broker });
    const started = app.start();
    await app.close();
    await expect(started).rejects.toThrow(StoppedError);
    expect(app.state).toBe("NOT_RUNNING");
    broker.publish([{ topic: "IN", key: null, value: new Uint8Array(1), headers: [], timestamp: 0 }]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(broker.records("OUT")).toEqual([]);
  });

  test("tells every node, of as many as there are, and Node.js has nothing to warn of", async () => {
    const warnings: string[] = [];
    const warn = (warning: Error): void => void warnings.push(warning.name);
    process.on("warning", warn);
    const nodes = Array.from({ length: 12 }, (_, index) => `batch-${index}`);
    const topology = through((stream) =>
      nodes.reduce(
        (last, name) =>
          last
            .batch({ maxSize: 10, maxWaitMs: 60_000 })
            .mapBatch((values) => values.map((value) => `${value}.`), { name }),
        stream,
      ),
    );
    const driver = new TopologyTestDriver(topology);
    await driver.createInputTopic("IN", text).pipeInput("a");
    // No batch waits for more once the drain has begun.
    expect(await driver.close({ drainMs: 50 })).toEqual({ settled: 1, released: 0, abandoned: 0 });
    process.off("warning", warn);
    expect(warnings).toEqual([]);
  });

  test("that failed leaves no timer behind", async () => {
    const topology = through((stream) =>
      stream.mapValues(
        (value) => {
          throw new Error(value);
        },
        { onError: (error) => (error.message.includes("retry") ? "RETRY" : "FAIL") },
      ),
    );
    const driver = new TopologyTestDriver(topology, { rejectOnError: false });
    await driver.createInputTopic("IN", text).pipeRecords(records("retry", "fail"));
    expect(driver.app.state).toBe("ERROR");
    expect(driver.scheduler.nextDue).toBeUndefined();
  });
});
