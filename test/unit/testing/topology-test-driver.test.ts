import { firstValueFrom, map, NEVER, of, timer } from "rxjs";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { ConfigError, ProcessError, StoppedError } from "../../../src/core/errors.ts";
import { headerText, textHeader } from "../../../src/core/provenance.ts";
import { jsonSerde, nullable, numberSerde, stringSerde } from "../../../src/core/serde.ts";
import { TopologyTestDriver, VirtualScheduler } from "../../../src/testing/index.ts";
import { StreamsBuilder } from "../../../src/topology/streams-builder.ts";
import type { KStream } from "../../../src/topology/kstream.ts";
import type { Topology } from "../../../src/topology/topology.ts";

const text = { value: stringSerde };

/** A topology from IN to OUT. */
function through(step: (stream: KStream<string | null, string>) => KStream<string | null, string>): Topology {
  const builder = new StreamsBuilder();
  step(builder.stream("IN", text)).to("OUT", text);
  return builder.build();
}

const upper = through((stream) => stream.mapValues((value) => value.toUpperCase()));

describe("piping and reading", () => {
  test("a value in, a value out", async () => {
    await using driver = new TopologyTestDriver(upper);
    const output = driver.createOutputTopic("OUT", text);
    await driver.createInputTopic("IN", text).pipeInput("hello");
    expect(await output.readValue()).toBe("HELLO");
    expect(await output.readValue()).toBeUndefined();
  });

  test("key, headers, timestamp and partition go in and come out", async () => {
    await using driver = new TopologyTestDriver(upper, { partitions: 3 });
    const input = driver.createInputTopic("IN", text);
    const output = driver.createOutputTopic("OUT", text);
    await input.pipeInput("key", "value", { headers: [textHeader("run", "7")], timestamp: 12, partition: 1 });
    const record = await output.readRecord();
    expect(record).toMatchObject({ key: "key", value: "VALUE", timestamp: 12 });
    expect(headerText(record?.headers ?? [], "run")).toBe("7");
    expect(headerText(record?.headers ?? [], "millrace-id")).toBe("memory:IN/1@0#KSTREAM-SINK-0000000002");
  });

  test("a record without a timestamp bears the time of the driver's clock", async () => {
    await using driver = new TopologyTestDriver(upper);
    const input = driver.createInputTopic("IN", text);
    await input.pipeInput("a");
    await driver.advanceWallClockTime(1_500);
    await input.pipeInput("b");
    const times = (await driver.createOutputTopic("OUT", text).readRecords()).map(({ timestamp }) => timestamp);
    expect(times.map((time) => new Date(time).toISOString())).toEqual([
      "2026-01-01T00:00:00.000Z",
      "2026-01-01T00:00:01.500Z",
    ]);
  });

  test("keys have serdes of their own, and tombstones go through a nullable one", async () => {
    const builder = new StreamsBuilder();
    const serdes = { key: numberSerde, value: nullable(stringSerde) };
    builder.stream("IN", serdes).to("OUT", serdes);
    await using driver = new TopologyTestDriver(builder.build());
    await driver.createInputTopic("IN", serdes).pipeInput(7, null);
    expect(await driver.createOutputTopic("OUT", serdes).readRecord()).toMatchObject({ key: 7, value: null });
  });

  test("what a serde refuses on reading is a DecodeError that names the position", async () => {
    await using driver = new TopologyTestDriver(upper);
    await driver.createInputTopic("IN", text).pipeInput("not json");
    const output = driver.createOutputTopic("OUT", { value: jsonSerde() });
    await expect(output.readValue()).rejects.toMatchObject({ code: "ERR_DECODE", position: "memory:OUT/0@0" });
    expect(await output.isEmpty()).toBe(true);
  });

  test("readRecords gives what has not been read, by partition", async () => {
    await using driver = new TopologyTestDriver(upper, { topics: { IN: 2, OUT: 2 } });
    const output = driver.createOutputTopic("OUT", text);
    const input = driver.createInputTopic("IN", text);
    await input.pipeRecords(["a", "b", "c", "d"].map((value) => ({ key: value, value })));
    const first = await output.readRecord();
    const rest = await output.readRecords();
    expect([first, ...rest].map((record) => record?.value).toSorted()).toEqual(["A", "B", "C", "D"]);
    const partitions = [first, ...rest].map((record) => record?.partition);
    expect(partitions).toEqual(partitions.toSorted());
    expect(new Set(partitions).size).toBe(2);
    expect(await output.readRecords()).toEqual([]);
    await input.pipeInput("later", "e");
    expect(await output.isEmpty()).toBe(false);
    expect((await output.readRecords()).map(({ value }) => value)).toEqual(["E"]);
  });

  test("records that are piped together meet in one batch", async () => {
    const sizes: number[] = [];
    const topology = through((stream) =>
      stream.batch({ maxSize: 10 }).mapBatch((values) => {
        sizes.push(values.length);
        return values;
      }),
    );
    await using driver = new TopologyTestDriver(topology);
    const input = driver.createInputTopic("IN", text);
    await input.pipeRecords([{ value: "a" }, { value: "b" }, { value: "c" }]);
    await input.pipeInput("d");
    expect(sizes).toEqual([3, 1]);
  });

  test("producedTopicNames tells what the app wrote, and not what the test wrote", async () => {
    await using driver = new TopologyTestDriver(upper);
    expect(await driver.producedTopicNames()).toEqual([]);
    await driver.createInputTopic("IN", text).pipeInput("a");
    expect(await driver.producedTopicNames()).toEqual(["OUT"]);
  });

  test("values of the program itself start with the first call", async () => {
    const builder = new StreamsBuilder();
    builder.fromObservable(of("a", "b")).to("OUT", text);
    await using driver = new TopologyTestDriver(builder.build());
    expect((await driver.createOutputTopic("OUT", text).readRecords()).map(({ value }) => value)).toEqual(["a", "b"]);
  });
});

describe("waiting", () => {
  test("a promise that takes real time is waited for", async () => {
    await using driver = new TopologyTestDriver(
      through((stream) =>
        stream.mapAsync(async (value) => {
          await sleep(20);
          return `${value}!`;
        }),
      ),
    );
    await driver.createInputTopic("IN", text).pipeInput("a");
    expect(driver.metrics.inFlight).toBe(0);
    expect(await driver.createOutputTopic("OUT", text).readValue()).toBe("a!");
  });

  test("so is one that mergeMap is given", async () => {
    await using driver = new TopologyTestDriver(
      through((stream) => stream.mergeMap((value) => sleep(20).then(() => `${value}!`), { concurrency: 2 })),
    );
    await driver.createInputTopic("IN", text).pipeInput("a");
    expect(await driver.createOutputTopic("OUT", text).readValue()).toBe("a!");
  });

  test("a call that waits for the virtual clock goes on when time passes, each at its time", async () => {
    const scheduler = new VirtualScheduler();
    const topology = through((stream) =>
      stream.mapAsync((value) => firstValueFrom(timer(Number(value), scheduler).pipe(map(() => value))), {
        concurrency: 8,
        ordered: false,
      }),
    );
    await using driver = new TopologyTestDriver(topology, { scheduler });
    const output = driver.createOutputTopic("OUT", text);
    await driver.createInputTopic("IN", text).pipeRecords(["30", "10", "20"].map((value) => ({ value })));
    expect(await output.isEmpty()).toBe(true);
    expect(driver.metrics.inFlight).toBe(3);
    await driver.advanceWallClockTime(20);
    expect((await output.readRecords()).map(({ value }) => value)).toEqual(["10", "20"]);
    await driver.advanceWallClockTime(10);
    expect(await output.readValue()).toBe("30");
  });

  test("a promise in real time is waited for although a backoff waits for the clock", async () => {
    const topology = through((stream) =>
      stream.mapAsync(
        async (value) => {
          if (value === "bad") throw new Error("bad");
          await sleep(20);
          return value;
        },
        { concurrency: 2, ordered: false, onError: "RETRY" },
      ),
    );
    await using driver = new TopologyTestDriver(topology);
    await driver.createInputTopic("IN", text).pipeRecords([{ value: "bad" }, { value: "good" }]);
    expect(await driver.createOutputTopic("OUT", text).readValue()).toBe("good");
    expect(driver.app.backingOff).toBe(1);
  });

  test("retries and timers of processors run when the clock advances", async () => {
    let attempts = 0;
    const topology = through((stream) =>
      stream.mapValues(
        (value) => {
          attempts += 1;
          if (attempts < 3) throw new Error("not yet");
          return value;
        },
        { onError: "RETRY" },
      ),
    );
    await using driver = new TopologyTestDriver(topology);
    await driver.createInputTopic("IN", text).pipeInput("a");
    expect(attempts).toBe(1);
    await driver.advanceWallClockTime(99);
    expect(attempts).toBe(1);
    await driver.advanceWallClockTime(1);
    expect(attempts).toBe(2);
    await driver.advanceWallClockTime(200);
    expect(await driver.createOutputTopic("OUT", text).readValue()).toBe("a");
  });
});

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
  const slow = through((stream) =>
    stream.mapAsync((value) => firstValueFrom(timer(100, scheduler).pipe(map(() => value))), { concurrency: 8 }),
  );

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
      through((stream) => stream.mapAsync((value) => firstValueFrom(timer(400, scheduler).pipe(map(() => value))))),
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
