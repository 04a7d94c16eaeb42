import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";
import { ConfigResourceTypes } from "kafkajs";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { KafkaOptions } from "../../src/brokers/kafka/options.ts";
import { KafkaSink } from "../../src/brokers/kafka/sink.ts";
import { TopicCatalog } from "../../src/brokers/kafka/topics.ts";
import { BrokerError, ConfigError, PublishError } from "../../src/core/errors.ts";
import { silentLogger } from "../../src/core/logger.ts";
import type { OutgoingRecord } from "../../src/core/record.ts";
import { brokers, clientFor, createTopic, readAll, settingsOf } from "./kafka-helpers.ts";

const POSITION = "kafka:in/0@1";
const record = (topic: string, value: string, changes: Partial<OutgoingRecord> = {}): OutgoingRecord => ({
  topic,
  partition: 0,
  key: null,
  value: Buffer.from(value),
  headers: [],
  timestamp: Date.now(),
  ...changes,
});
const settled = (calls: readonly Promise<void>[]): Promise<unknown[]> =>
  Promise.all(
    calls.map((call) =>
      call.then(
        () => "written",
        (error: unknown) => error,
      ),
    ),
  );

interface KafkajsBroker {
  produce: (this: KafkajsBroker, request: object) => Promise<unknown>;
}

describe.skipIf(brokers.length === 0)("KafkaSink", () => {
  const admin = brokers.length === 0 ? undefined : clientFor("admin").admin();
  const connected = () => {
    if (admin === undefined) throw new Error("no brokers");
    return admin;
  };
  const values = async (topic: string, partition = 0) =>
    (await readAll(connected(), topic)).filter((read) => read.partition === partition).map(({ value }) => value);
  const close: (() => Promise<void>)[] = [];
  const open = async (topics: readonly string[], options: Partial<KafkaOptions> = {}) => {
    const settings = settingsOf({ requestTimeoutMs: 3_000, ...options });
    const catalog = new TopicCatalog(connected(), settings, silentLogger);
    await catalog.ensure(topics);
    const failures: BrokerError[] = [];
    const failed = (error: BrokerError): number => failures.push(error);
    const sink = new KafkaSink({ settings, logger: silentLogger, catalog, failed });
    await sink.connect();
    close.push(() => sink.close());
    return { sink, catalog, failures };
  };
  /** Changes how kafkajs sends; `original` does it. */
  const intercept = (produce: (original: () => Promise<unknown>) => Promise<unknown>): void => {
    const { prototype } = createRequire(import.meta.url)("kafkajs/src/broker") as { prototype: KafkajsBroker };
    const original = prototype.produce;
    prototype.produce = function (request) {
      return produce(() => original.call(this, request));
    };
    close.push(() => Promise.resolve(void (prototype.produce = original)));
  };
  beforeAll(() => admin?.connect());
  afterAll(() => admin?.disconnect());
  afterEach(async () => {
    for (const one of close.splice(0).toReversed()) await one();
  });

  it("writes what it is given, in order, and reports it when the brokers have it", async () => {
    const topic = await createTopic(connected(), 2);
    const { sink } = await open([topic]);
    const sent = Array.from({ length: 5_000 }, (_, n) => String(n));
    await Promise.all(sent.map((value) => sink.send([record(topic, value)], POSITION)));
    expect(await values(topic)).toEqual(sent);
  });

  it("sends one request at a time", async () => {
    const topic = await createTopic(connected(), 2);
    const { sink } = await open([topic]);
    let flying = 0;
    let most = 0;
    intercept(async (original) => {
      flying += 1;
      most = Math.max(most, flying);
      await sleep(5);
      const response = await original();
      flying -= 1;
      return response;
    });
    for (let n = 0; n < 50; n += 1) {
      void sink.send([record(topic, String(n), { partition: n % 2 })], POSITION);
      if (n % 10 === 9) await sleep(3);
    }
    await sink.flush();
    expect(most).toBe(1);
    expect(await readAll(connected(), topic)).toHaveLength(50);
  });

  it.each([true, false])(
    "loses nothing and keeps the order when a response is lost (kafkajs retries: %s)",
    async (retriable) => {
      const topic = await createTopic(connected(), 1);
      const { sink } = await open([topic]);
      await sink.send([record(topic, "warm")], POSITION);
      let lost = 0;
      intercept(async (original) => {
        const response = await original();
        lost += 1;
        if (lost === 1) throw Object.assign(new Error("response lost"), { name: "KafkaJSConnectionError", retriable });
        return response;
      });
      const first = sink.send([record(topic, "A"), record(topic, "B")], POSITION);
      await sleep(1);
      const rest = ["C", "D", "E"].map((value) => sink.send([record(topic, value)], POSITION));
      await Promise.all([first, ...rest]);
      expect(await values(topic)).toEqual(
        retriable ? ["warm", "A", "B", "C", "D", "E"] : ["warm", "A", "B", "A", "B", "C", "D", "E"],
      );
    },
  );

  it("rejects only the record that the broker refuses, and goes on", async () => {
    const topic = await createTopic(connected(), 2);
    const { sink, failures } = await open([topic]);
    const type = ConfigResourceTypes.TOPIC;
    const configEntries = [{ name: "max.message.bytes", value: "2000" }];
    await connected().alterConfigs({ validateOnly: false, resources: [{ type, name: topic, configEntries }] });
    await sleep(300);
    const sizes = [10, 10, 5_000, 10, 1_500, 1_500, 10];
    const calls = sizes.map((size, n) => sink.send([record(topic, `${n}`.padEnd(size))], POSITION));
    const other = sink.send([record(topic, "other", { partition: 1 })], POSITION);
    const results = await settled([...calls, other]);
    expect(results.map((result) => result === "written")).toEqual([true, true, false, true, true, true, true, true]);
    expect(results[2]).toBeInstanceOf(PublishError);
    expect(results[2]).toMatchObject({ retryable: false, position: POSITION });
    await sink.send([record(topic, "after")], POSITION);
    expect((await values(topic)).map((value) => value?.trim())).toEqual(["0", "1", "3", "4", "5", "6", "after"]);
    expect(await values(topic, 1)).toContain("other");
    expect(failures).toEqual([]);
  });

  it("refuses what can't be written, and writes the rest of the call", async () => {
    const topic = await createTopic(connected(), 1);
    const { sink } = await open([topic]);
    const missing = `missing-${randomUUID()}`;
    const [nowhere, unknown, large] = await settled([
      sink.send([record(topic, "1"), record(topic, "x", { partition: 9 }), record(topic, "2")], POSITION),
      sink.send([record(missing, "x"), record(topic, "3")], POSITION),
      sink.send([record(topic, "x".repeat(1_100_000)), record(topic, "4")], POSITION),
    ]);
    for (const error of [nowhere, unknown, large])
      expect(error).toMatchObject({ code: "ERR_PUBLISH", retryable: false });
    expect(await values(topic)).toEqual(["1", "2", "3", "4"]);
  });

  it("looks a new topic up, and keeps the order meanwhile", async () => {
    const known = await createTopic(connected(), 1);
    const { sink } = await open([known]);
    const late = await createTopic(connected(), 3);
    await Promise.all([
      sink.send([record(late, "a"), record(known, "1")], POSITION),
      sink.send([record(known, "2")], POSITION),
    ]);
    expect(await values(known)).toEqual(["1", "2"]);
    expect(await values(late)).toEqual(["a"]);
  });

  it("ends when nothing can help", async () => {
    const topic = await createTopic(connected(), 1);
    const { sink, failures } = await open([topic]);
    intercept(() =>
      Promise.reject(Object.assign(new Error("not yours"), { type: "TOPIC_AUTHORIZATION_FAILED", retriable: false })),
    );
    const calls = ["1", "2"].map((value) => sink.send([record(topic, value)], POSITION));
    for (const error of await settled(calls)) expect(error).toBeInstanceOf(BrokerError);
    expect(failures).toHaveLength(1);
    await expect(sink.send([record(topic, "3")], POSITION)).rejects.toBeInstanceOf(BrokerError);
  });

  it("gives a record up when its time is over", async () => {
    const topic = await createTopic(connected(), 1);
    const { sink, failures } = await open([topic], { deliveryTimeoutMs: 500 });
    intercept(() => Promise.reject(Object.assign(new Error("busy"), { type: "NOT_ENOUGH_REPLICAS", retriable: true })));
    await expect(sink.send([record(topic, "1")], POSITION)).rejects.toMatchObject({
      code: "ERR_PUBLISH",
      retryable: true,
    });
    expect(failures).toEqual([]);
  });

  it("closes in time while a write hangs, and rejects what waits", async () => {
    const topic = await createTopic(connected(), 1);
    const { sink } = await open([topic], { requestTimeoutMs: 500 });
    intercept(() => new Promise(() => {}));
    const call = settled([sink.send([record(topic, "1")], POSITION)]);
    await sleep(20);
    const waiting = settled([sink.send([record(topic, "2")], POSITION)]);
    await sink.close();
    expect(await waiting).toMatchObject([{ code: "ERR_STOPPED" }]);
    expect(await call).toMatchObject([{ code: "ERR_STOPPED" }]);
    await sink.close();
  });

  it("compresses", async () => {
    const topic = await createTopic(connected(), 1);
    const { sink } = await open([topic], { compression: "gzip" });
    await sink.send([record(topic, "packed", { headers: [["h", Buffer.from("1")]] })], POSITION);
    expect(await readAll(connected(), topic)).toMatchObject([{ value: "packed", headers: [["h", Buffer.from("1")]] }]);
  });

  it("names topics that are missing and says how to create them; creates them when told to", async () => {
    const topic = `missing-${randomUUID()}`;
    const catalog = new TopicCatalog(connected(), settingsOf(), silentLogger);
    const refused = catalog.ensure([topic]);
    await expect(refused).rejects.toBeInstanceOf(ConfigError);
    await expect(refused).rejects.toThrow(/--create-topics[\s\S]*kafka-topics\.sh --bootstrap-server/);
    const creating = settingsOf({ createTopics: { partitions: 3, replicationFactor: 1 } });
    const created = new TopicCatalog(connected(), creating, silentLogger);
    await created.ensure([topic, topic]);
    expect(created.partitionsOf(topic)).toBe(3);
    expect(created.maxMessageBytes(topic)).toBe(1_048_588);
    expect(await created.lookUp(`missing-${randomUUID()}`)).toBe(false);
  });
});
