import type { ChildProcess } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ProcessingGuarantee } from "millrace";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { startKafka, type KafkaCluster } from "../../scripts/brokers/kafka.ts";
import { Ledger, report } from "./ledger.ts";
import { isRequest, Proxy } from "./proxy.ts";
import { until } from "../../scripts/brokers/until.ts";
import { Worker } from "./workers.ts";

function workerOf(
  { groupId, input, output }: Ledger,
  brokers: readonly string[],
  processingGuarantee: ProcessingGuarantee,
  sessionTimeoutMs = 3_000,
): Worker {
  return new Worker({
    kafka: { brokers, sessionTimeoutMs, requestTimeoutMs: 2_000, transactionTimeoutMs: 30_000 },
    groupId,
    input,
    output,
    processingGuarantee,
    latencyMs: 20,
  });
}

async function moves(ledger: Ledger): Promise<void> {
  await until(async () => (await ledger.committed()).some((offset) => offset > 100), { what: "commits", ms: 30_000 });
}

describe.skipIf(inject("kafka") === undefined)("a network that fails", () => {
  let cluster: KafkaCluster;
  let proxy: Proxy;
  let broker: ChildProcess | undefined;
  let brokers: readonly string[] = [];

  // A broker that tells clients to come through the proxy.
  beforeAll(async () => {
    proxy = await Proxy.open();
    cluster = await startKafka();
    const [node] = cluster.nodes;
    if (node === undefined) throw new Error("a cluster has a node");
    proxy.towards(node.port);
    await node.kill("SIGTERM");
    const file = join(node.dir, "server.properties");
    const advertised = `advertised.listeners=PLAINTEXT://127.0.0.1:${proxy.port}`;
    writeFileSync(file, readFileSync(file, "utf8").replace(/advertised\.listeners=.*/, advertised));
    const child = cluster.java("kafka.Kafka", [file]);
    child.stdout.resume();
    child.stderr.resume();
    broker = child;
    brokers = [`127.0.0.1:${proxy.port}`];
  });
  afterAll(async () => {
    broker?.kill("SIGKILL");
    await proxy.close();
    await cluster.stop();
  });

  // Red without `requestTimeout` in src/brokers/kafka/client.ts, or `checkSigns` of membership.ts.
  test("a black hole of ten seconds", async () => {
    const { cuts } = proxy;
    const ledger = await Ledger.open(brokers);
    await ledger.send(2_000);
    const worker = await workerOf(ledger, brokers, "at_least_once").ready();
    await moves(ledger);
    proxy.blackHole();
    await sleep(10_000);
    proxy.mend();
    await ledger.send(2_000);
    await ledger.allCommitted();
    await worker.close();
    const account = await ledger.settle();
    report("black hole", { holes: 1, cuts: proxy.cuts - cuts }, account);
    expect(proxy.cuts - cuts).toBeGreaterThan(0);
    expect(account).toMatchObject({ sent: 4_000, lost: 0, foreign: 0 });
    await ledger.close();
  });

  // Red without `restart` after any failure in src/brokers/kafka/transactional-commits.ts `aborted`: the outcome is unknown, and only fencing tells it.
  test("answers to EndTxn that are lost", async () => {
    const { cuts } = proxy;
    const ledger = await Ledger.open(brokers);
    const worker = await workerOf(ledger, brokers, "exactly_once").ready();
    let struck = 0;
    for (let fault = 1; fault <= 3; fault += 1) {
      let asked = 0;
      proxy.swallowAnswerTo((request) => {
        if (!isRequest(26)(request)) return false;
        asked += 1;
        struck += 1;
        return true;
      });
      await ledger.send(500);
      await until(() => asked > 0, { what: "an EndTxn", ms: 20_000 });
      await ledger.allCommitted();
    }
    await worker.close();
    const account = await ledger.settle();
    report("lost answers to EndTxn", { struck, cuts: proxy.cuts - cuts }, account);
    expect(struck).toBe(3);
    expect(account).toEqual({ sent: 1_500, lost: 0, duplicated: 0, reordered: 0, foreign: 0 });
    await ledger.close();
  });

  // Red without one write at a time and `this.producer.replace()` in src/brokers/kafka/sink.ts: kafkajs gives a sequence number twice.
  test("answers to Produce that are lost", async () => {
    const ledger = await Ledger.open(brokers, { partitions: 1 });
    await ledger.send(3_000);
    let struck = 0;
    let seen = 0;
    // Not the ledger's own: it has sent all.
    const arm = (): void =>
      proxy.swallowAnswerTo((request) => {
        if (!isRequest(0)(request)) return false;
        seen += 1;
        if (seen % 2 === 0) return false; // what is sent again gets its answer
        struck += 1;
        if (struck < 5) queueMicrotask(arm); // each call strikes once
        return true;
      });
    arm();
    const worker = await workerOf(ledger, brokers, "at_least_once").ready();
    await ledger.allCommitted();
    await worker.close();
    const account = await ledger.settle();
    report("lost answers to Produce", { struck }, account);
    expect(struck).toBeGreaterThan(0);
    expect(account).toMatchObject({ sent: 3_000, lost: 0, reordered: 0, foreign: 0 });
    await ledger.close();
  });

  // Red without `fence` in src/brokers/kafka/transactional-commits.ts `begin`: the transaction of the stopped one ends after the takeover.
  test("a worker that is stopped with an open transaction, and ends it after another took over", async () => {
    const ledger = await Ledger.open(brokers);
    const zombie = await workerOf(ledger, brokers, "exactly_once", 1_500).ready();
    const holding = proxy.hold(isRequest(26));
    await ledger.send(1_000);
    const release = await holding;
    zombie.signal("SIGSTOP");
    const other = await workerOf(ledger, brokers, "exactly_once", 1_500).ready();
    await until(() => other.assigned === "[0,1,2]", { what: "the takeover", ms: 20_000 });
    await ledger.allCommitted();
    const before = await ledger.committed();
    release(); // its EndTxn
    const known = zombie.assignments;
    zombie.signal("SIGCONT");
    await until(() => zombie.assignments > known, {
      what: () => `the zombie to rejoin: ${zombie.lines.join(" | ")}`,
      ms: 30_000,
    });
    await ledger.send(500);
    await ledger.allCommitted();
    await Promise.all([zombie.close(), other.close()]);
    const account = await ledger.settle();
    report("an open transaction of a zombie", { held: 1, rejoins: zombie.assignments - known }, { before, ...account });
    expect(account).toEqual({ sent: 1_500, lost: 0, duplicated: 0, reordered: 0, foreign: 0 });
    await ledger.close();
  });
});
