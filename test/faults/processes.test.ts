import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, inject, test } from "vitest";
import { highestGeneration } from "./generations.ts";
import { javaConsumer } from "./java.ts";
import { Ledger, report } from "./ledger.ts";
import { until } from "../../scripts/brokers/until.ts";
import { Worker, type WorkerOptions } from "./workers.ts";

const kafka = inject("kafka");
const brokers = kafka?.brokers ?? [];
const sessionTimeoutMs = 1_500;

function optionsFor(ledger: Ledger, more: Partial<WorkerOptions> = {}): WorkerOptions {
  const { input, output, groupId } = ledger;
  return {
    kafka: {
      brokers,
      sessionTimeoutMs,
      rebalanceTimeoutMs: 3_000,
      requestTimeoutMs: 3_000,
      transactionTimeoutMs: 5_000,
    },
    groupId,
    input,
    output,
    ...more,
  };
}

/** Two workers; one of them is killed and replaced every two seconds while records are sent. */
async function killEveryTwoSeconds(
  ledger: Ledger,
  options: WorkerOptions,
  records: number,
): Promise<Record<string, number>> {
  const workers = await Promise.all([new Worker(options).ready(), new Worker(options).ready()]);
  const all = [...workers];
  const kills = (): number => all.reduce((sum, worker) => sum + worker.kills, 0);
  const sending = (async () => {
    for (let sent = 0; sent < records; sent += 1_000) {
      await ledger.send(1_000);
      await sleep(50);
    }
  })();
  let done = false;
  const finished = sending.then(() => ledger.allCommitted(90_000)).finally(() => (done = true));
  const killing = (async () => {
    for (let victim = 0; ; victim = 1 - victim) {
      await sleep(2_000);
      if (done || kills() >= 12) return;
      await workers[victim]?.kill();
      const next = new Worker(options);
      workers[victim] = next;
      all.push(next);
    }
  })();
  await Promise.all([finished, killing]);
  await Promise.all(workers.map((worker) => worker.close()));
  const generation = await highestGeneration(kafka, ledger.groupId);
  return { kills: kills(), generation, assignments: all.reduce((sum, { assignments }) => sum + assignments, 0) };
}

describe.skipIf(kafka === undefined)("processes that die", () => {
  // Red without `consumer.commitOffsets` of the watermark in src/brokers/kafka/offset-commits.ts `commitOnce`: a commit of `position` loses what was in flight.
  test("at least once: SIGKILL every two seconds", async () => {
    const ledger = await Ledger.open(brokers, { partitions: 4 });
    const struck = await killEveryTwoSeconds(ledger, optionsFor(ledger, { latencyMs: 20 }), 200_000);
    const account = await ledger.settle();
    report("SIGKILL, at least once", struck, account);
    expect(struck["kills"]).toBeGreaterThan(3);
    expect(struck["generation"]).toBeGreaterThan(3);
    expect(account).toMatchObject({ sent: 200_000, lost: 0, foreign: 0 });
    await ledger.close();
  });

  // Red without `sendOffsets` in src/brokers/kafka/transactional-writer.ts `commit`, or without `fence` in transactional-commits.ts `begin`.
  test("exactly once: SIGKILL every two seconds", async () => {
    const ledger = await Ledger.open(brokers, { partitions: 4 });
    const options = optionsFor(ledger, { latencyMs: 20, processingGuarantee: "exactly_once" });
    const struck = await killEveryTwoSeconds(ledger, options, 200_000);
    const account = await ledger.settle();
    const java = ledger.account(await javaConsumer(kafka, ledger.output));
    report("SIGKILL, exactly once", struck, { account, java });
    expect(struck["kills"]).toBeGreaterThan(3);
    expect(struck["generation"]).toBeGreaterThan(3);
    expect(account).toEqual({ sent: 200_000, lost: 0, duplicated: 0, reordered: 0, foreign: 0 });
    expect(java).toMatchObject({ lost: 0, duplicated: 0, foreign: 0 });
    await ledger.close();
  });

  // At least once: red without `standsAt` in src/brokers/kafka/source.ts `open`: what the zombie had in hand takes the group back.
  // Exactly once: red with a commit of `position` in place of `watermark` in transactional-commits.ts `commitOnce`.
  test.each(["at_least_once", "exactly_once"] as const)(
    "%s: a worker that was stopped for twice its session comes back",
    async (processingGuarantee) => {
      const ledger = await Ledger.open(brokers, { partitions: 3 });
      const options = optionsFor(ledger, { latencyMs: 50, maxInFlight: 200, processingGuarantee });
      const zombie = await new Worker(options).ready();
      await ledger.send(4_000);
      await until(async () => (await ledger.committed()).some((offset) => offset > 0), {
        what: "a first commit",
        ms: 20_000,
      });
      await zombie.stop();
      const other = await new Worker(options).ready();
      let back = 0;
      let before = await ledger.committed();
      const check = async (): Promise<boolean> => {
        const now = await ledger.committed();
        if (now.some((offset, partition) => offset < (before[partition] ?? 0))) back += 1;
        before = now;
        return (await ledger.lag()) === 0;
      };
      await ledger.send(500);
      await sleep(2 * sessionTimeoutMs);
      await until(check, { what: "the other to do all", ms: 30_000, everyMs: 50 });
      const known = zombie.assignments;
      zombie.resume();
      await ledger.send(2_000);
      await until(() => zombie.assignments > known, {
        what: () => `the zombie to rejoin: ${zombie.lines.join(" | ")}`,
        ms: 30_000,
      });
      await until(check, { what: "all to be committed", ms: 30_000, everyMs: 50 });
      await Promise.all([zombie.close(), other.close()]);
      const account = await ledger.settle();
      report(
        `SIGSTOP, ${processingGuarantee}`,
        { stops: zombie.stops, rejoins: zombie.assignments - known },
        { back, ...account },
      );
      expect(zombie.stops).toBe(1);
      expect(back).toBe(0);
      expect(account).toMatchObject({ lost: 0, foreign: 0 });
      if (processingGuarantee === "exactly_once") expect(account.duplicated).toBe(0);
      await ledger.close();
    },
  );

  // Red without `commitOffsets(fresh)` in src/brokers/kafka/offset-commits.ts `begin`.
  test("a fresh group with latest that dies before its first commit", async () => {
    const ledger = await Ledger.open(brokers, { partitions: 1 });
    const options = optionsFor(ledger, { reset: "latest", latencyMs: 60_000, commitIntervalMs: 60_000 });
    const first = await new Worker(options).ready();
    await until(async () => (await ledger.committed())[0] === 0, { what: "the start to be committed", ms: 20_000 });
    await ledger.send(10);
    await first.kill();
    await ledger.send(10);
    const second = await new Worker({ ...options, latencyMs: 0, commitIntervalMs: 100 }).ready();
    await ledger.allCommitted(30_000);
    await second.close();
    const account = await ledger.settle();
    report("latest, killed before the first commit", { kills: first.kills }, account);
    expect(first.kills).toBe(1);
    expect(account).toMatchObject({ sent: 20, lost: 0 });
    await ledger.close();
  });

  // Red with a commit of `position` in place of `watermark` in src/brokers/kafka/offset-commits.ts `commitOnce`, whatever kafkajs' defaults under NODE_ENV=test.
  test.each(["production", "test"])("NODE_ENV=%s: a worker is killed and replaced", async (NODE_ENV) => {
    const ledger = await Ledger.open(brokers, { partitions: 2 });
    const options = optionsFor(ledger, { latencyMs: 20 });
    const first = await new Worker(options, { NODE_ENV }).ready();
    await ledger.send(2_000);
    await until(async () => (await ledger.committed()).some((offset) => offset > 0), {
      what: "a first commit",
      ms: 20_000,
    });
    await first.kill();
    const second = await new Worker(options, { NODE_ENV }).ready();
    await ledger.allCommitted(30_000);
    await second.close();
    const account = await ledger.settle();
    report(`NODE_ENV=${NODE_ENV}`, { kills: first.kills }, account);
    expect(first.kills).toBe(1);
    expect(account).toMatchObject({ sent: 2_000, lost: 0 });
    await ledger.close();
  });
});
