import { setTimeout as sleep } from "node:timers/promises";
import type { ProcessingGuarantee } from "millrace";
import { afterEach, describe, expect, inject, test } from "vitest";
import { startKafka, type KafkaCluster } from "../../scripts/brokers/kafka.ts";
import { Ledger, report } from "./ledger.ts";
import { until } from "../../scripts/brokers/until.ts";
import { Worker } from "./workers.ts";

let cluster: KafkaCluster | undefined;
afterEach(() => cluster?.stop());

function workerOf(ledger: Ledger, brokers: readonly string[], processingGuarantee: ProcessingGuarantee): Worker {
  const { groupId, input, output } = ledger;
  return new Worker({
    kafka: { brokers, sessionTimeoutMs: 3_000, requestTimeoutMs: 2_000, transactionTimeoutMs: 5_000 },
    groupId,
    input,
    output,
    processingGuarantee,
    latencyMs: 20,
  });
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

describe.skipIf(inject("kafka") === undefined)("brokers that fail", () => {
  // Red without the loop of src/brokers/kafka/membership.ts `supervise`, or without `this.producer.replace()` in sink.ts `write`.
  test.each(["at_least_once", "exactly_once"] as const)(
    "%s: the only broker is killed for ten seconds",
    async (guarantee) => {
      cluster = await startKafka();
      const [node] = cluster.nodes;
      const ledger = await Ledger.open(cluster.brokers);
      const worker = await workerOf(ledger, cluster.brokers, guarantee).ready();
      const { stop } = load(ledger);
      await moves(ledger);
      await node?.kill("SIGKILL");
      await sleep(10_000);
      await node?.start();
      await sleep(2_000);
      await stop();
      await ledger.allCommitted();
      await worker.close();
      const account = await ledger.settle();
      report(`broker SIGKILL for 10 s, ${guarantee}`, { kills: 1 }, account);
      expect(account).toMatchObject({ lost: 0, foreign: 0 });
      // The ledger's own producer may write twice what was not acknowledged: the input has those too.
      await ledger.close();
    },
  );

  // Red without `catalog.refreshIfOld()` / a new producer after a failed write in src/brokers/kafka/sink.ts.
  test("a cluster of three loses the leader of a partition", async () => {
    cluster = await startKafka({ nodes: 3 });
    const ledger = await Ledger.open(cluster.brokers, { replicationFactor: 3 });
    const worker = await workerOf(ledger, cluster.brokers, "at_least_once").ready();
    const { stop } = load(ledger);
    await moves(ledger);
    const { topics } = await ledger.admin.fetchTopicMetadata({ topics: [ledger.input] });
    const leader = topics[0]?.partitions[0]?.leader ?? 0;
    await cluster.nodes[leader - 1]?.kill("SIGKILL");
    const led = async (): Promise<boolean> => {
      const now = await ledger.admin.fetchTopicMetadata({ topics: [ledger.input] });
      return now.topics[0]?.partitions.every((one) => one.leader > 0 && one.leader !== leader) ?? false;
    };
    await until(() => led().catch(() => false), { what: "another leader", ms: 60_000, everyMs: 200 });
    await stop();
    await ledger.allCommitted();
    await worker.close();
    const account = await ledger.settle();
    report("three nodes, a leader is killed", { kills: 1 }, account);
    expect(account).toMatchObject({ lost: 0, foreign: 0 });
    await ledger.close();
  });
});
