import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
// As an application may that uses kafkajs itself: its copy is loaded before the fixes.
import { Kafka } from "kafkajs";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { kafkajsHeaders } from "../../src/brokers/kafka/headers.ts";
import { onRejoin } from "../../src/brokers/kafka/kafkajs-fixes.ts";
import type { Headers } from "../../src/core/record.ts";
import { brokers, clientFor, createTopic, readAll } from "./kafka-helpers.ts";

describe.skipIf(brokers.length === 0)("kafkajs, mended,", () => {
  const admin = brokers.length === 0 ? undefined : clientFor("admin").admin();
  const connected = () => {
    if (admin === undefined) throw new Error("no brokers");
    return admin;
  };
  beforeAll(() => admin?.connect());
  afterAll(() => admin?.disconnect());

  it("is another copy than one that was loaded before", () => {
    expect(clientFor("admin")).not.toBeInstanceOf(Kafka);
  });

  it("sets no timers on an idle connection", async () => {
    const producer = clientFor("producer").producer({ idempotent: true });
    await producer.connect();
    await sleep(200);
    const timers = vi.spyOn(globalThis, "setTimeout");
    await sleep(300);
    const set = timers.mock.calls.length;
    timers.mockRestore();
    await producer.disconnect();
    expect(set).toBeLessThan(10);
  });

  it("still sends requests that had to wait", async () => {
    const topic = await createTopic(connected(), 1);
    const producer = clientFor("producer").producer({ maxInFlightRequests: 1 });
    await producer.connect();
    const messages = (n: number) => ({ topic, messages: [{ value: String(n), partition: 0 }] });
    await Promise.all(Array.from({ length: 50 }, (_, n) => producer.send(messages(n))));
    await producer.disconnect();
    expect(await readAll(connected(), topic)).toHaveLength(50);
  });

  it("gives a reader nothing of an aborted transaction", async () => {
    const topic = await createTopic(connected(), 1);
    const writer = async (value: string) => {
      const transactionalId = randomUUID();
      const producer = clientFor("transactions").producer({
        transactionalId,
        idempotent: true,
        maxInFlightRequests: 1,
      });
      await producer.connect();
      const transaction = await producer.transaction();
      const send = () => transaction.send({ topic, messages: [{ key: Buffer.alloc(4), value, partition: 0 }] });
      return { producer, transaction, send };
    };
    const a = await writer("a");
    const b = await writer("b");
    const c = await writer("c");
    for (const { send } of [a, b, c, a, b, c]) await send();
    await c.transaction.commit();
    await a.transaction.abort();
    await b.send();
    await b.transaction.abort();
    for (const { producer } of [a, b, c]) await producer.disconnect();
    const end = clientFor("producer").producer();
    await end.connect();
    await end.send({ topic, messages: [{ key: "end", value: "end", partition: 0 }] });
    await end.disconnect();
    expect((await readAll(connected(), topic)).map(({ value }) => value)).toEqual(["c", "c", "end"]);
  });

  it("keeps the order of headers, written and read", async () => {
    const topic = await createTopic(connected(), 1);
    const header = (name: string, value: string) => [name, Buffer.from(value)] as const;
    const headers: Headers = [
      header("b", "1"),
      header("a", "2"),
      header("b", "3"),
      header("7", "4"),
      header("__proto__", ""),
      header("b", "1"),
    ];
    const producer = clientFor("producer").producer();
    await producer.connect();
    const message = { value: "v", partition: 0 };
    await producer.send({ topic, messages: [{ ...message, headers: kafkajsHeaders(headers) }, message] });
    await producer.disconnect();
    expect((await readAll(connected(), topic)).map((record) => record.headers)).toEqual([headers, []]);
  });

  it("rejoins a group when the hook is done, and keeps the session meanwhile", async () => {
    const topic = await createTopic(connected(), 2);
    const groupId = randomUUID();
    const events: string[] = [];
    const consumer = (partitionAssigners?: ReturnType<typeof onRejoin>) =>
      clientFor("consumer").consumer({
        groupId,
        sessionTimeout: 6_000,
        heartbeatInterval: 200,
        maxWaitTimeInMs: 50,
        ...(partitionAssigners !== undefined && { partitionAssigners }),
      });
    const first = consumer(
      onRejoin(async (heartbeat) => {
        events.push("hook");
        await sleep(500);
        await heartbeat();
        await sleep(500);
        events.push("done");
      }),
    );
    const second = consumer();
    first.on(first.events.GROUP_JOIN, () => events.push("first joined"));
    const secondJoined = new Promise((resolve) => second.on(second.events.GROUP_JOIN, resolve));
    for (const one of [first, second]) {
      await one.connect();
      await one.subscribe({ topic, fromBeginning: true });
    }
    await first.run({ eachMessage: () => Promise.resolve() });
    await vi.waitFor(() => expect(events).toEqual(["first joined"]), 10_000);
    await second.run({ eachMessage: () => Promise.resolve() });
    await secondJoined;
    await vi.waitFor(() => expect(events).toContain("done"), 10_000);
    await vi.waitFor(() => expect(events).toEqual(["first joined", "hook", "done", "first joined"]), 10_000);
    await Promise.all([first.disconnect(), second.disconnect()]);
  });
});
