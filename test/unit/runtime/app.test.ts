import { of } from "rxjs";
import { describe, expect, test, vi } from "vitest";
import { memoryBroker, type MemoryBroker } from "../../../src/brokers/memory/index.ts";
import type { Broker } from "../../../src/core/broker.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import type { Model } from "../../../src/core/model.ts";
import { stringSerde } from "../../../src/core/serde.ts";
import { StreamsApp } from "../../../src/runtime/streams-app.ts";
import { TopologyTestDriver } from "../../../src/testing/index.ts";
import { StreamsBuilder } from "../../../src/topology/streams-builder.ts";
import type { Topology } from "../../../src/topology/topology.ts";

const text = { value: stringSerde };
const decoder = new TextDecoder();

function copy(): Topology {
  const builder = new StreamsBuilder();
  builder.stream("IN", { ...text, name: "source" }).to("OUT", text);
  return builder.build();
}

function publish(broker: MemoryBroker, topic: string, ...values: string[]): void {
  const encoder = new TextEncoder();
  broker.publish(
    values.map((value) => ({ topic, key: null, value: encoder.encode(value), headers: [], timestamp: 0 })),
  );
}

function valuesOf(broker: MemoryBroker, topic: string): string[] {
  return broker.records(topic).map(({ value }) => decoder.decode(value ?? undefined));
}

describe("states", () => {
  test("from CREATED to NOT_RUNNING, and the Observable completes", async () => {
    const app = new StreamsApp(copy(), { applicationId: "test", broker: memoryBroker() });
    const states: string[] = [];
    const completed = vi.fn();
    app.states.subscribe({ next: (state) => states.push(state), complete: completed });
    await app.start();
    expect(await app.close()).toEqual({ settled: 0, released: 0, abandoned: 0 });
    expect(states).toEqual(["CREATED", "REBALANCING", "RUNNING", "PENDING_SHUTDOWN", "NOT_RUNNING"]);
    expect(completed).toHaveBeenCalledOnce();
  });

  test("to ERROR, with the reason", async () => {
    const broker = memoryBroker();
    const builder = new StreamsBuilder();
    builder.stream("IN", text).foreach(() => {
      throw new Error("no good");
    });
    const app = new StreamsApp(builder.build(), { applicationId: "test", broker });
    const states: string[] = [];
    app.states.subscribe((state) => states.push(state));
    await app.start();
    publish(broker, "IN", "a");
    await expect(app.whenSettled(1)).rejects.toMatchObject({ code: "ERR_PROCESS" });
    expect(states.slice(-2)).toEqual(["PENDING_ERROR", "ERROR"]);
    expect(await app.close()).toEqual({ settled: 0, released: 0, abandoned: 0 });
  });

  test("an app starts once", async () => {
    await using app = new StreamsApp(copy(), { applicationId: "test", broker: memoryBroker() });
    await app.start();
    await expect(app.start()).rejects.toMatchObject({ code: "ERR_STOPPED" });
  });

  test("a model that can't be opened fails the start, and opened ones are closed", async () => {
    const closed = vi.fn(async () => {});
    const model: Model<string, string> = {
      info: { name: "a", sha256: "0", engine: "none" },
      rows: () => 1,
      predict: async (inputs) => inputs,
      slice: (input) => input,
      join: ([first = ""]) => first,
      close: closed,
    };
    const builder = new StreamsBuilder();
    builder
      .stream("IN", text)
      .batch({ maxSize: 1 })
      .infer(
        async () => model,
        (_, output) => output,
      )
      .batch({ maxSize: 1 })
      .infer(
        () => Promise.reject(new Error("no file")),
        () => "",
      )
      .to("OUT", text);
    const app = new StreamsApp(builder.build(), { applicationId: "test", broker: memoryBroker() });
    await expect(app.start()).rejects.toThrow("no file");
    expect(app.state).toBe("ERROR");
    expect(closed).toHaveBeenCalledOnce();
  });
});

describe("results and waiting", () => {
  test("results gives what a node emits; an unknown name is an error that lists the names", async () => {
    const broker = memoryBroker();
    await using app = new StreamsApp(copy(), { applicationId: "test", broker });
    const seen: unknown[] = [];
    app.results("source").subscribe(({ value, position }) => seen.push([value, position]));
    await app.start();
    publish(broker, "IN", "a");
    await app.whenSettled(1);
    expect(seen).toEqual([["a", "memory:IN/0@0"]]);
    expect(() => app.results("sauce")).toThrow(/no node is named sauce; there are: source, KSTREAM-SINK-0000000001/);
  });

  test("whenSettled rejects when the app is closed before", async () => {
    const app = new StreamsApp(copy(), { applicationId: "test", broker: memoryBroker() });
    await app.start();
    const waiting = app.whenSettled(1);
    await app.close();
    await expect(waiting).rejects.toMatchObject({ code: "ERR_STOPPED" });
  });
});

describe("uncaught", () => {
  test("RETRY replaces session and pipeline; what was not settled is delivered again", async () => {
    const builder = new StreamsBuilder();
    builder
      .stream("IN", text)
      .mapAsync(async (value) => value, { concurrency: 2 })
      .to("OUT", text);
    await using driver = new TopologyTestDriver(builder.build(), { errors: { uncaught: () => "RETRY" } });
    const input = driver.createInputTopic("IN", text);
    await input.pipeInput("a");
    driver.broker.faults.crash();
    await driver.advanceWallClockTime(100);
    await input.pipeInput("b");
    expect(driver.app.state).toBe("RUNNING");
    expect(driver.metrics.restarts).toBe(1);
    expect(valuesOf(driver.broker, "OUT")).toEqual(["a", "b"]);
  });

  test("FAIL is the default", async () => {
    await using driver = new TopologyTestDriver(copy(), { rejectOnError: false });
    await driver.createInputTopic("IN", text).pipeInput("a");
    driver.broker.faults.crash("cable cut");
    await driver.advanceWallClockTime(0);
    expect(driver.app.error).toMatchObject({ code: "ERR_BROKER", message: "cable cut" });
  });
});

describe("what an app asks is checked when it is made", () => {
  const lacking: Broker = {
    name: "plain",
    defaultMaxInFlight: 10,
    open: () => Promise.reject(new Error()),
    capabilities: { exactlyOnce: false, partitions: false, keyOrder: false, replay: false, maxRecordBytes: 1 },
  };

  test.each([
    [{ processingGuarantee: "exactly_once", broker: lacking }, /plain can't do exactly_once: it has no transaction/],
    [
      { processingGuarantee: "exactly_once", broker: memoryBroker(), sinkBroker: lacking },
      /exactly_once from memory to plain is impossible/,
    ],
    [{ broker: memoryBroker(), maxInFlight: 0 }, /maxInFlight of the app must be a whole number of at least 1, got 0/],
    [{ broker: memoryBroker(), commitIntervalMs: 0.5 }, /commitIntervalMs/],
    [{ broker: memoryBroker(), retry: { attempts: 0 } }, /retry.attempts/],
    [{ broker: memoryBroker(), applicationId: "a b" }, /applicationId has 1 to 200/],
  ] as const)("%#", (options, message) => {
    expect(() => new StreamsApp(copy(), { applicationId: "test", ...options })).toThrow(message);
  });

  test("exactly_once needs a source that can be read again", () => {
    const builder = new StreamsBuilder();
    builder.fromObservable(of("a"), { name: "values" }).to("OUT", text);
    const options = { applicationId: "test", broker: memoryBroker(), processingGuarantee: "exactly_once" } as const;
    expect(() => new StreamsApp(builder.build(), options)).toThrow(/values is fed by the program itself/);
  });

  test("a credit that can't fill batches is warned of", () => {
    const builder = new StreamsBuilder();
    builder
      .stream("IN", text)
      .batch({ maxSize: 100 })
      .mapBatch((values) => values, { name: "many" })
      .to("OUT", text);
    const warn = vi.fn();
    const logger = { ...silentLogger, warn };
    new StreamsApp(builder.build(), { applicationId: "test", broker: memoryBroker(), maxInFlight: 199, logger });
    expect(warn).toHaveBeenCalledWith(expect.anything(), expect.stringMatching(/below 2 × maxSize of many/));
  });
});

describe("where results go", () => {
  test("exactly once: results and offset in one step, and not before everything before them is done", async () => {
    const builder = new StreamsBuilder();
    const gates = new Map<string, () => void>();
    builder
      .stream("IN", text)
      .mapAsync((value) => new Promise<string>((resolve) => gates.set(value, () => resolve(value))), {
        concurrency: 2,
        ordered: false,
      })
      .to("OUT", text);
    const broker = memoryBroker();
    await using app = new StreamsApp(builder.build(), {
      applicationId: "test",
      broker,
      processingGuarantee: "exactly_once",
    });
    await app.start();
    publish(broker, "IN", "a", "b");
    while (gates.size < 2) await new Promise((resolve) => setImmediate(resolve));
    gates.get("b")?.();
    await app.whenSettled(1);
    expect(valuesOf(broker, "OUT")).toEqual([]);
    expect(broker.committed("test", "IN", 0)).toBe(0);
    gates.get("a")?.();
    await app.whenSettled(2);
    expect(valuesOf(broker, "OUT")).toEqual(["a", "b"]);
    expect(broker.committed("test", "IN", 0)).toBe(2);
  });

  test("sinkBroker: sinks write there, dead letters stay at the source", async () => {
    const builder = new StreamsBuilder();
    builder
      .stream("IN", text)
      .filter(
        (value) => {
          if (value === "bad") throw new Error("no good");
          return true;
        },
        { onError: "DEAD_LETTER" },
      )
      .to("OUT", text);
    const broker = memoryBroker();
    const sinkBroker = memoryBroker();
    await using app = new StreamsApp(builder.build(), { applicationId: "test", broker, sinkBroker });
    await app.start();
    publish(broker, "IN", "a", "bad", "b");
    await app.whenSettled(3);
    expect(valuesOf(sinkBroker, "OUT")).toEqual(["a", "b"]);
    expect(valuesOf(broker, "test.dlq")).toEqual(["bad"]);
    expect(broker.topicNames).not.toContain("OUT");
  });

  test("two sinks and a printer: a delivery is settled when all of them are done", async () => {
    const builder = new StreamsBuilder();
    const stream = builder.stream("IN", text);
    stream.to("ONE", text);
    stream.mapValues((value) => value.toUpperCase()).to("TWO", text);
    const lines: string[] = [];
    let printed: (() => void) | undefined;
    stream.print({
      label: "seen",
      write: (line) =>
        new Promise((resolve) => {
          lines.push(line);
          printed = resolve;
        }),
    });
    const broker = memoryBroker();
    await using app = new StreamsApp(builder.build(), { applicationId: "test", broker });
    await app.start();
    publish(broker, "IN", "a");
    while (printed === undefined) await new Promise((resolve) => setImmediate(resolve));
    expect([valuesOf(broker, "ONE"), valuesOf(broker, "TWO"), lines]).toEqual([["a"], ["A"], ["[seen]: null, a"]]);
    expect(app.metrics.settled).toBe(0);
    printed();
    await app.whenSettled(1);
  });

  test("topologies chained over topics give each result an id of its own", async () => {
    const builder = new StreamsBuilder();
    builder.stream("A", text).to("B", { ...text, name: "first" });
    builder.stream("B", text).to("C", { ...text, name: "second" });
    const broker = memoryBroker();
    await using app = new StreamsApp(builder.build(), { applicationId: "test", broker });
    await app.start();
    publish(broker, "A", "x");
    await app.whenSettled(2);
    const ids = ["B", "C"].map((topic) =>
      broker.records(topic)[0]?.headers.map(([name, value]) => [name, decoder.decode(value)]),
    );
    expect(ids).toEqual([[["millrace-id", "memory:A/0@0#first"]], [["millrace-id", "memory:B/0@0#second"]]]);
  });
});
