import { setTimeout as sleep } from "node:timers/promises";
import { NEVER } from "rxjs";
import { describe, expect, test } from "vitest";
import { ConfigError, ProcessError, StoppedError } from "../../../src/core/errors.ts";
import { headerText, textHeader } from "../../../src/core/provenance.ts";
import { stringSerde } from "../../../src/core/serde.ts";
import { TopologyTestDriver, VirtualScheduler } from "../../../src/testing/index.ts";
import { StreamsBuilder } from "../../../src/topology/streams-builder.ts";
import { later, text, through } from "../../topologies/streams.ts";

const upper = through((stream) => stream.mapValues((value) => value.toUpperCase()));

describe("errors", () => {
  const failing = through((stream) =>
    stream.mapValues((value) => {
      if (value === "bad") throw new Error("bad value");
      return value;
    }),
  );

  test("calls reject with the app's error", async () => {
    await using driver = new TopologyTestDriver(failing);
    const input = driver.createInputTopic("IN", text);
    await expect(input.pipeInput("bad")).rejects.toThrow(ProcessError);
    await expect(driver.createOutputTopic("OUT", text).readRecords()).rejects.toThrow("bad value");
    expect(driver.app.state).toBe("ERROR");
  });

  test("unless they must not", async () => {
    await using driver = new TopologyTestDriver(failing, { rejectOnError: false });
    await driver.createInputTopic("IN", text).pipeRecords([{ value: "good" }, { value: "bad" }]);
    expect(driver.app.error?.code).toBe("ERR_PROCESS");
    expect(await driver.createOutputTopic("OUT", text).readValue()).toBe("good");
  });

  test("dead letters are decoded", async () => {
    await using driver = new TopologyTestDriver(failing, { applicationId: "shop", errors: { process: "DEAD_LETTER" } });
    await driver.createInputTopic("IN", text).pipeInput("key", "bad", { headers: [textHeader("run", "7")] });
    expect(await driver.producedTopicNames()).toEqual(["shop.dlq"]);
    const letters = await driver.deadLetters();
    expect(letters).toEqual([
      {
        error: {
          code: "ERR_PROCESS",
          message: expect.stringContaining("bad value"),
          node: "KSTREAM-MAPVALUES-0000000001",
          position: "memory:IN/0@0",
          attempt: 1,
          path: "",
        },
        record: expect.objectContaining({ topic: "shop.dlq", key: stringSerde.serialize("key", [], "") }),
      },
    ]);
    expect(headerText(letters[0]?.record.headers ?? [], "run")).toBe("7");
    expect(driver.metrics.deadLetters).toBe(1);
  });

  test("an app that can't start rejects the first call", async () => {
    const builder = new StreamsBuilder();
    builder
      .stream("IN", text)
      .batch({ maxSize: 1 })
      .infer<string, string>(
        () => Promise.reject(new ConfigError("no model")),
        (_, output) => output,
      )
      .to("OUT", text);
    await using driver = new TopologyTestDriver(builder.build());
    await expect(driver.createInputTopic("IN", text).pipeInput("a")).rejects.toThrow("no model");
  });

  test("options that an app refuses are refused", () => {
    expect(() => new TopologyTestDriver(upper, { maxInFlight: 0 })).toThrow(ConfigError);
    expect(() => new TopologyTestDriver(upper, { partitions: 0 })).toThrow(ConfigError);
  });
});

describe("faults", () => {
  const scheduler = new VirtualScheduler();
  const slow = through((stream) => stream.mapAsync((value) => later(scheduler, 100, value), { concurrency: 8 }));

  function start(options?: ConstructorParameters<typeof TopologyTestDriver>[1]): {
    driver: TopologyTestDriver;
    pipe: () => Promise<void>;
    ids: () => Promise<(string | undefined)[]>;
  } {
    const driver = new TopologyTestDriver(slow, { scheduler, ...options });
    const input = driver.createInputTopic("IN", text);
    const output = driver.createOutputTopic("OUT", text);
    return {
      driver,
      pipe: () => input.pipeRecords(["a", "b"].map((value) => ({ value, partition: 0 }))),
      ids: async () => (await output.readRecords()).map(({ headers }) => headerText(headers, "millrace-id")),
    };
  }

  const first = "memory:IN/0@0#KSTREAM-SINK-0000000002";
  const second = "memory:IN/0@1#KSTREAM-SINK-0000000002";

  test("redeliver hands out once more what is out", async () => {
    const { driver, pipe, ids } = start();
    await using _ = driver;
    await pipe();
    await driver.redeliver();
    expect(driver.metrics.delivered).toBe(4);
    await driver.advanceWallClockTime(100);
    expect(await ids()).toEqual([first, second, first, second]);
    expect(driver.metrics.inFlight).toBe(0);
    expect(driver.broker.committed("test", "IN", 0)).toBe(2);
  });

  test("rebalance takes the lanes away and delivers again; late results are ignored", async () => {
    const { driver, pipe, ids } = start();
    await using _ = driver;
    await pipe();
    await driver.advanceWallClockTime(50);
    await driver.rebalance();
    await driver.advanceWallClockTime(50);
    expect(await ids()).toEqual([]);
    await driver.advanceWallClockTime(50);
    expect(await ids()).toEqual([first, second]);
    expect(driver.metrics.inFlight).toBe(0);
  });

  test("crash starts a new app that gets again what the old one had not acked", async () => {
    const { driver, pipe, ids } = start();
    await using _ = driver;
    await pipe();
    await driver.advanceWallClockTime(50);
    const dead = driver.app;
    await driver.crash();
    expect(dead.state).toBe("ERROR");
    expect(driver.app).not.toBe(dead);
    await driver.advanceWallClockTime(50);
    expect(await ids()).toEqual([]);
    await driver.advanceWallClockTime(50);
    expect(await ids()).toEqual([first, second]);
    expect(driver.metrics).toMatchObject({ delivered: 2, settled: 2, inFlight: 0 });
  });

  test("crash kills even an app that mends broken sessions, at any time", async () => {
    const { driver, pipe, ids } = start({ errors: { uncaught: () => "RETRY" } });
    await using _ = driver;
    await pipe();
    driver.broker.faults.crash();
    await driver.advanceWallClockTime(0);
    expect(driver.app.state).toBe("REBALANCING");
    const waiting = driver.app;
    await driver.crash();
    expect(waiting.state).toBe("NOT_RUNNING");
    const running = driver.app;
    await driver.crash();
    expect(running.state).toBe("ERROR");
    await driver.advanceWallClockTime(100);
    expect(await ids()).toEqual([first, second]);
  });

  test("crash is the way on from ERROR", async () => {
    let broken = true;
    const topology = through((stream) =>
      stream.mapValues((value) => {
        if (broken) throw new Error("broken");
        return value;
      }),
    );
    await using driver = new TopologyTestDriver(topology);
    await expect(driver.createInputTopic("IN", text).pipeInput("a")).rejects.toThrow("broken");
    broken = false;
    await driver.crash();
    expect(await driver.createOutputTopic("OUT", text).readValue()).toBe("a");
  });
});

describe("closing", () => {
  test("what waits for a timer is drained in virtual time, and can be read after it", async () => {
    const scheduler = new VirtualScheduler();
    const driver = new TopologyTestDriver(
      through((stream) => stream.mapAsync((value) => later(scheduler, 400, value))),
      { scheduler },
    );
    const input = driver.createInputTopic("IN", text);
    await input.pipeInput("a");
    expect(await driver.close()).toEqual({ settled: 1, released: 0, abandoned: 0 });
    expect(await driver.createOutputTopic("OUT", text).readValue()).toBe("a");
    await expect(input.pipeInput("b")).rejects.toThrow(StoppedError);
  });

  test("what is not done after drainMs is abandoned, in virtual and in real time", async () => {
    const virtual = new TopologyTestDriver(through((stream) => stream.concatMap(() => NEVER)));
    await virtual.createInputTopic("IN", text).pipeInput("a");
    expect(await virtual.close({ drainMs: 60_000 })).toEqual({ settled: 0, released: 0, abandoned: 1 });

    const real = new TopologyTestDriver(through((stream) => stream.mapAsync(() => new Promise<string>(() => {}))));
    void real.createInputTopic("IN", text).pipeInput("a");
    await sleep(5);
    expect(await real.close({ drainMs: 30 })).toEqual({ settled: 0, released: 0, abandoned: 1 });
  });

  test("is the same for every call, and needs no start", async () => {
    const driver = new TopologyTestDriver(upper);
    const report = driver.close();
    expect(driver.close()).toBe(report);
    expect(await report).toEqual({ settled: 0, released: 0, abandoned: 0 });
  });

  test("leaves no timer behind", async () => {
    const driver = new TopologyTestDriver(
      through((stream) =>
        stream.mapValues<string>(
          () => {
            throw new Error("always");
          },
          { onError: "RETRY" },
        ),
      ),
    );
    await driver.createInputTopic("IN", text).pipeInput("a");
    expect(await driver.close()).toEqual({ settled: 0, released: 1, abandoned: 0 });
    expect(driver.scheduler.nextDue).toBeUndefined();
  });
});
