import { randomUUID } from "node:crypto";
import type { Transaction } from "kafkajs";
import { asyncScheduler } from "rxjs";
import { silentLogger, type OutgoingRecord } from "millrace";
import { kafkaBroker } from "millrace/kafka";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { startKafka, type KafkaCluster } from "../../scripts/brokers/kafka.ts";
import { Ledger, plainKafka, report } from "./ledger.ts";
import { until } from "../../scripts/brokers/until.ts";
import { isWhole, loggedTransactions } from "./transaction-log.ts";
import { Worker } from "./workers.ts";

const kafka = inject("kafka");

describe.skipIf(kafka === undefined)("what is in the log", () => {
  let cluster: KafkaCluster;
  let brokers: readonly string[] = [];
  beforeAll(async () => {
    cluster = await startKafka();
    ({ brokers } = cluster);
  });
  afterAll(() => cluster.stop());

  function workerOf({ groupId, input, output }: Ledger, processingGuarantee: "at_least_once" | "exactly_once"): Worker {
    return new Worker({ kafka: { brokers, sessionTimeoutMs: 1_500 }, groupId, input, output, processingGuarantee });
  }

  // Red without `split` in src/brokers/kafka/sink.ts `write`: the whole batch is refused.
  test("of a batch with one record that the broker refuses, all others, and what comes next", async () => {
    const ledger = await Ledger.open(brokers, { partitions: 2 });
    const { admin, output } = ledger;
    const session = await kafkaBroker({ brokers }).open({
      groupId: ledger.groupId,
      maxInFlight: 100,
      processingGuarantee: "at_least_once",
      commitIntervalMs: 100,
      autoOffsetReset: {},
      topics: [output],
      scheduler: asyncScheduler,
      logger: silentLogger,
    });
    // After the driver has asked for the limit: now the broker is the one that refuses.
    await session.publish([out(output, "0:0")]);
    const { ConfigResourceTypes } = await import("kafkajs");
    await admin.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: ConfigResourceTypes.TOPIC,
          name: output,
          configEntries: [{ name: "max.message.bytes", value: "2000" }],
        },
      ],
    });
    ledger.sent.push("0:0");
    let rejected = 0;
    for (let batch = 0; batch < 10; batch += 1) {
      const values = Array.from({ length: 4 }, (_, index) => `${batch * 4 + index + 1}:${index}`);
      const writes = values.map((value) => session.publish([out(output, value)]));
      const large = expect(session.publish([out(output, "x".repeat(10_000), batch % 2)])).rejects;
      const refused = large.toMatchObject({ code: "ERR_PUBLISH", retryable: false });
      const next = session.publish([out(output, `${100 + batch}:9`)]);
      await Promise.all([...writes, next]);
      ledger.sent.push(...values, `${100 + batch}:9`);
      await refused;
      rejected += 1;
    }
    await session.close();
    const account = await ledger.settle();
    report("too large records", { rejected }, account);
    expect(account).toMatchObject({ sent: 51, lost: 0, foreign: 0 });
    await ledger.close();
  });

  // Red without `readTo` in src/brokers/kafka/partition.ts: the marker at the end is never passed.
  test("markers of transactions between the records and at the end: the lag reaches 0", async () => {
    const ledger = await Ledger.open(brokers, { partitions: 1 });
    const producer = plainKafka(brokers).producer({
      transactionalId: randomUUID(),
      idempotent: true,
      maxInFlightRequests: 1,
    });
    await producer.connect();
    let aborts = 0;
    for (let round = 0; round < 6; round += 1) {
      const transaction = await producer.transaction();
      const value = `${round}:0`;
      await transaction.send({ topic: ledger.input, messages: [{ key: "0", value }] });
      if (round % 2 === 1) {
        await transaction.abort();
        aborts += 1;
      } else {
        await transaction.commit();
        ledger.sent.push(value);
      }
    }
    await producer.disconnect();
    const worker = await workerOf(ledger, "at_least_once").ready();
    await ledger.allCommitted(20_000);
    const lag = await ledger.lag();
    await worker.close();
    const account = await ledger.settle();
    report("gaps of transactions", { aborts }, { lag, ...account });
    expect(lag).toBe(0);
    expect(aborts).toBe(3);
    expect(account).toEqual({ sent: 3, lost: 0, duplicated: 0, reordered: 0, foreign: 0 });
    await ledger.close();
  });

  // Red without `fixAbortedRecords` in src/brokers/kafka/kafkajs-fixes.ts.
  test("nothing of two interleaved aborted transactions, with keys of four zero bytes, from any offset", async () => {
    const ledger = await Ledger.open(brokers, { partitions: 1 });
    const client = plainKafka(brokers);
    const [a, b] = [0, 1].map(() =>
      client.producer({ transactionalId: randomUUID(), idempotent: true, maxInFlightRequests: 1 }),
    );
    if (a === undefined || b === undefined) throw new Error("two producers");
    await Promise.all([a.connect(), b.connect()]);
    const key = Buffer.alloc(4);
    const send = { topic: ledger.input };
    const [ta, tb] = [await a.transaction(), await b.transaction()];
    for (let round = 0; round < 3; round += 1) {
      await ta.send({ ...send, messages: [{ key, value: "aborted" }] });
      await tb.send({ ...send, messages: [{ key, value: "aborted" }] });
    }
    let aborts = 0;
    const abort = async (transaction: Transaction): Promise<void> => {
      await transaction.abort();
      aborts += 1;
    };
    await abort(ta);
    await tb.send({ ...send, messages: [{ key, value: "aborted" }] });
    await abort(tb);
    const last = await a.transaction();
    await last.send({ ...send, messages: [{ key, value: "committed" }] });
    await last.commit();
    await Promise.all([a.disconnect(), b.disconnect()]);
    const [end] = await ledger.admin.fetchTopicOffsets(ledger.input);
    const places = Number(end?.high) - 2;
    let leaks = 0;
    let reads = 0;
    const readFrom = async (offset: number): Promise<void> => {
      const groupId = randomUUID();
      await ledger.admin.setOffsets({
        groupId,
        topic: ledger.input,
        partitions: [{ partition: 0, offset: String(offset) }],
      });
      const session = await kafkaBroker({ brokers }).open({
        groupId,
        maxInFlight: 100,
        processingGuarantee: "at_least_once",
        commitIntervalMs: 100,
        autoOffsetReset: {},
        topics: [ledger.input],
        scheduler: asyncScheduler,
        logger: silentLogger,
      });
      const values: string[] = [];
      const reading = session.deliveries([ledger.input]).subscribe((delivery) => {
        values.push(new TextDecoder().decode(delivery.record.value ?? new Uint8Array()));
        delivery.ack();
      });
      await until(() => values.includes("committed"), { what: "the committed record", ms: 15_000 });
      leaks += values.filter((value) => value === "aborted").length;
      reads += 1;
      reading.unsubscribe();
      await session.close();
    };
    await Promise.all(Array.from({ length: places + 1 }, (_, offset) => readFrom(offset)));
    report("interleaved aborts", { aborts }, { reads, leaks });
    expect(aborts).toBe(2);
    expect(reads).toBe(places + 1);
    expect(leaks).toBe(0);
    await ledger.close();
  });

  // Red without one transaction for `send` and `sendOffsets` in src/brokers/kafka/transactional-writer.ts `commit`.
  test("exactly once: each transaction holds results and the offset behind them, of one producer in one epoch", async () => {
    const ledger = await Ledger.open(brokers, { partitions: 1 });
    let kills = 0;
    for (let round = 0; round < 3; round += 1) {
      const worker = await workerOf(ledger, "exactly_once").ready();
      for (let part = 0; part < 3; part += 1) {
        await ledger.send(100);
        await ledger.allCommitted();
      }
      await worker.kill();
      kills += 1;
    }
    const log = await loggedTransactions(cluster, ledger);
    const torn = log.filter((one) => !isWhole(one));
    const producers = new Set(log.map(({ producer }) => producer)).size;
    report("transactions in the log", { kills }, { transactions: log.length, producers, torn: torn.length });
    expect(torn).toEqual([]);
    expect(log.length).toBeGreaterThanOrEqual(9);
    expect(producers).toBe(3);
    expect(log.at(-1)).toMatchObject({ results: "COMMIT", offset: "COMMIT", resultsTo: 900, offsetTo: 900 });
    await ledger.close();
  });
});

function out(topic: string, value: string, partition?: number): OutgoingRecord {
  return {
    topic,
    key: new TextEncoder().encode(value.split(":")[1] ?? ""),
    value: new TextEncoder().encode(value),
    headers: [],
    timestamp: Date.now(),
    ...(partition !== undefined && { partition }),
  };
}
