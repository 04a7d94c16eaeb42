import { setTimeout as sleep } from "node:timers/promises";
import type { ProcessingGuarantee } from "millrace";
import { afterEach, describe, expect, inject, test } from "vitest";
import { brokerPorts, startKafka, type KafkaCluster } from "../../scripts/brokers/kafka.ts";
import { until } from "../../scripts/brokers/until.ts";
import { Ledger, report, type Account } from "./ledger.ts";
import { Worker } from "./workers.ts";

let cluster: KafkaCluster | undefined;
const workers: Worker[] = [];
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.kill())); // those that a failed test leaves
  await cluster?.stop();
});

function workerOf(ledger: Ledger, brokers: readonly string[], processingGuarantee: ProcessingGuarantee): Worker {
  const { groupId, input, output } = ledger;
  const worker = new Worker({
    kafka: { brokers, sessionTimeoutMs: 3_000, requestTimeoutMs: 2_000, transactionTimeoutMs: 5_000 },
    groupId,
    input,
    output,
    processingGuarantee,
    latencyMs: 20,
  });
  workers.push(worker);
  return worker;
}

/** Sends in the background until it is told to stop; resolves then, when all is acknowledged. */
function load(ledger: Ledger): { readonly stop: () => Promise<void> } {
  let stopped = false;
  const sending = (async () => {
    while (!stopped) {
      await ledger.send(50);
      await sleep(20);
    }
  })();
  return {
    stop: async () => {
      stopped = true;
      await sending;
    },
  };
}

async function moves(ledger: Ledger): Promise<void> {
  await until(async () => (await ledger.committed()).some((offset) => offset > 100), { what: "commits", ms: 30_000 });
}

/** A ledger that is being filled, and a worker that works on it. */
interface Line {
  readonly guarantee: ProcessingGuarantee;
  readonly ledger: Ledger;
  readonly worker: Worker;
  readonly stop: () => Promise<void>;
}

async function startLine(brokers: readonly string[], guarantee: ProcessingGuarantee): Promise<Line> {
  const ledger = await Ledger.open(brokers);
  const worker = await workerOf(ledger, brokers, guarantee).ready();
  const { stop } = load(ledger);
  await moves(ledger);
  return { guarantee, ledger, worker, stop };
}

interface LineAccount extends Account {
  readonly guarantee: ProcessingGuarantee;
  /** What the worker noticed. */
  readonly warnings: number;
}

/** Once the load goes on, ends it and settles. What the ledger wrote twice, for want of an answer, may come out twice. */
async function finish({ guarantee, ledger, worker, stop }: Line): Promise<LineAccount> {
  const before = ledger.sent.length;
  await until(() => ledger.sent.length > before, { what: "the load to go on" });
  await stop();
  await ledger.allCommitted();
  await worker.close();
  const account = await ledger.settle();
  await ledger.close();
  return { guarantee, warnings: worker.lines.filter((line) => line.startsWith("WARN")).length, ...account };
}

describe.skipIf(inject("kafka") === undefined)("brokers that fail", () => {
  // Red without the loop of src/brokers/kafka/membership.ts `supervise`: the group is never read again.
  test.each([
    ["SIGKILL", 20_000],
    ["SIGTERM", 0],
  ] as const)(
    "the only broker ends by %s under load, and is started again after %i ms",
    async (signal, awayMs) => {
      cluster = await startKafka();
      const { brokers, nodes } = cluster;
      const [node] = nodes;
      const lines = [await startLine(brokers, "at_least_once"), await startLine(brokers, "exactly_once")];
      let refusals = 0;
      const ask = async (): Promise<void> => {
        await brokerPorts(brokers[0] ?? "").catch(() => (refusals += 1));
      };
      await node?.kill(signal);
      await ask();
      await sleep(awayMs);
      await ask();
      await node?.start();
      const accounts = await Promise.all(lines.map((line) => finish(line)));
      for (const { guarantee, warnings, ...account } of accounts) {
        report(`broker ${signal}, ${guarantee}`, { refusals, warnings }, account);
        expect(warnings).toBeGreaterThan(0);
        expect(account).toMatchObject({ lost: 0, foreign: 0 });
        if (guarantee === "exactly_once") expect(account.duplicated).toBe(0);
      }
      expect(refusals).toBe(2);
      // Longer than the waits inside, so that a failure says what it waited for.
    },
    180_000,
  );

  // Red with an error in place of `catalog.refreshIfOld()` in src/brokers/kafka/sink.ts.
  test("a cluster of three loses the leader of a partition", async () => {
    cluster = await startKafka({ nodes: 3 });
    const ledger = await Ledger.open(cluster.brokers, { replicationFactor: 3 });
    const worker = await workerOf(ledger, cluster.brokers, "at_least_once").ready();
    const { stop } = load(ledger);
    await moves(ledger);
    const leaders = async (): Promise<readonly number[]> => {
      const { topics } = await ledger.admin.fetchTopicMetadata({ topics: [ledger.input] });
      return topics.flatMap(({ partitions }) => partitions.map((one) => one.leader));
    };
    const before = await leaders();
    const [leader = 0] = before;
    await cluster.nodes[leader - 1]?.kill("SIGKILL");
    const led = async (): Promise<boolean> => (await leaders()).every((one) => one > 0 && one !== leader);
    await until(() => led().catch(() => false), { what: "another leader", ms: 60_000, everyMs: 200 });
    const moved = before.filter((one) => one === leader).length;
    await stop();
    await ledger.allCommitted();
    await worker.close();
    const account = await ledger.settle();
    report("three nodes, a leader is killed", { moved }, account);
    expect(moved).toBeGreaterThan(0);
    expect(account).toMatchObject({ lost: 0, foreign: 0 });
    await ledger.close();
  });
});
