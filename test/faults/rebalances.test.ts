import { setTimeout as sleep } from "node:timers/promises";
import { silentLogger, StreamsApp, StreamsBuilder, stringSerde, type Delivery } from "millrace";
import { kafkaBroker } from "millrace/kafka";
import { describe, expect, inject, test } from "vitest";
import { Ledger, report } from "./ledger.ts";
import { openSession, placeOf, valueOf } from "./sessions.ts";
import { until } from "../../scripts/brokers/until.ts";

const kafka = inject("kafka");
const brokers = kafka?.brokers ?? [];

interface Member {
  readonly app: StreamsApp;
  /** Times that the group gave it partitions. */
  readonly assignments: () => number;
}

async function join(ledger: Ledger, latencyMs: number, more: object = {}): Promise<Member> {
  let assignments = 0;
  const builder = new StreamsBuilder();
  builder
    .stream(ledger.input, { value: stringSerde })
    .mapAsync((value) => sleep(Math.random() * latencyMs).then(() => value), { concurrency: 64 })
    .to(ledger.output, { value: stringSerde });
  const app = new StreamsApp(builder.build(), {
    applicationId: ledger.groupId,
    broker: kafkaBroker({ brokers, sessionTimeoutMs: 3_000, rebalanceTimeoutMs: 5_000 }),
    logger: {
      ...silentLogger,
      info: (_, message) => {
        if (message === "kafka partitions are assigned") assignments += 1;
      },
    },
    ...more,
  });
  await app.start();
  await until(() => assignments > 0, { what: "partitions", ms: 20_000 });
  return { app, assignments: () => assignments };
}

describe.skipIf(kafka === undefined)("rebalances", () => {
  // Red with a commit of `position` in place of `watermark`: in src/brokers/kafka/offset-commits.ts `commitOnce`, and in that of transactional-commits.ts.
  test.each(["at_least_once", "exactly_once"] as const)(
    "%s: ten members join and leave, one after the other",
    async (processingGuarantee) => {
      const ledger = await Ledger.open(brokers, { partitions: 6 });
      const settings = { processingGuarantee };
      const stays = await join(ledger, 30, settings);
      const stopSending = ledger.keepSending();
      const rebalanced = (seen: number): Promise<void> =>
        until(() => stays.assignments() > seen, { what: "a rebalance", ms: 10_000 });
      for (let member = 0; member < 10; member += 1) {
        const before = stays.assignments();
        const { app } = await join(ledger, 30, settings);
        await rebalanced(before);
        const between = stays.assignments();
        await app.close({ drainMs: 3_000 });
        await rebalanced(between);
      }
      await stopSending();
      await ledger.allCommitted();
      await stays.app.close();
      const account = await ledger.settle();
      report(`20 rebalances, ${processingGuarantee}`, { rebalances: stays.assignments() }, account);
      expect(stays.assignments()).toBeGreaterThanOrEqual(20);
      expect(account).toMatchObject({ lost: 0, foreign: 0 });
      if (processingGuarantee === "exactly_once") expect(account).toMatchObject({ duplicated: 0, reordered: 0 });
      await ledger.close();
    },
  );

  // Red with a commit of `position` in place of `watermark` in src/brokers/kafka/transactional-commits.ts `commitOnce`.
  test("exactly once: members that come and go faster than the group can follow", async () => {
    const ledger = await Ledger.open(brokers, { partitions: 6 });
    const settings = { processingGuarantee: "exactly_once" };
    const stays = await join(ledger, 30, settings);
    const stopSending = ledger.keepSending();
    let members = 0;
    for (; members < 10; members += 1) {
      const { app } = await join(ledger, 30, settings);
      await app.close({ drainMs: 3_000 });
    }
    await stopSending();
    await ledger.allCommitted();
    await stays.app.close();
    const account = await ledger.settle();
    report("hasty members, exactly once", { members, rebalances: stays.assignments() }, account);
    expect(stays.assignments()).toBeGreaterThan(5);
    expect(account).toMatchObject({ lost: 0, duplicated: 0, reordered: 0, foreign: 0 });
    await ledger.close();
  });

  // Red without the walk over slots in src/brokers/kafka/partition.ts `settle`: a commit of the last ack loses the slow ones at the crash.
  test("acks out of order, three partitions, and a session that is dropped in the middle", async () => {
    const ledger = await Ledger.open(brokers, { partitions: 3 });
    await ledger.send(3_000);
    const acked = new Set<string>();
    let outstanding = 0;
    let most = 0;
    let crashes = 0;
    for (let left = 3; left > 0; left -= 1) {
      const session = await openSession(brokers, ledger, { maxInFlight: 100 });
      const target = left === 1 ? 3_000 : acked.size + 800;
      outstanding = 0;
      const subscription = session.deliveries([ledger.input]).subscribe((delivery) => {
        outstanding += 1;
        most = Math.max(most, outstanding);
        setTimeout(() => {
          outstanding -= 1;
          if (delivery.lane?.signal.aborted !== true) acked.add(valueOf(delivery));
          delivery.ack();
        }, Math.random() * 30);
      });
      await until(() => acked.size >= target, {
        what: () => `acks: ${acked.size} of ${target}`,
        ms: 30_000,
      });
      if (left === 1) await ledger.allCommitted();
      else crashes += 1;
      subscription.unsubscribe(); // no drain: what is out is dropped
      await session.close();
    }
    const { reordered: _, ...account } = ledger.account([...acked]);
    report("acks out of order", { crashes }, { most, ...account });
    expect(crashes).toBe(2);
    expect(most).toBeLessThanOrEqual(100);
    expect(account).toMatchObject({ sent: 3_000, lost: 0, foreign: 0 });
    await ledger.close();
  });

  // Red without `this.lose(partition)` in src/brokers/kafka/source.ts `joined` and `ready` in offset-commits.ts `commitOnce`: each stands in for the other.
  test("an ack after the partition was taken away does not take the group back", async () => {
    const ledger = await Ledger.open(brokers, { partitions: 2 });
    await ledger.send(200);
    const held: Delivery[] = [];
    const slow = await openSession(brokers, ledger, { maxInFlight: 1_000 });
    const first = slow.deliveries([ledger.input]).subscribe((delivery) => held.push(delivery));
    await until(() => held.length === 200, { what: "all in hand", ms: 20_000 });
    const fast = await openSession(brokers, ledger, { maxInFlight: 1_000 });
    const taken = new Set<number>();
    const second = fast.deliveries([ledger.input]).subscribe((delivery) => {
      taken.add(placeOf(delivery).partition);
      delivery.ack();
    });
    await until(async () => taken.size === 1 && (await ledger.committed())[[...taken][0] ?? 0] !== 0, {
      what: "the other to commit",
      ms: 20_000,
    });
    const [partition = -1] = taken;
    await until(async () => (await endOf(ledger, partition)) === (await ledger.committed())[partition], {
      what: "all of it",
      ms: 20_000,
    });
    const before = await ledger.committed();
    let late = 0;
    for (const delivery of held) {
      if (placeOf(delivery).partition !== partition || late === 10) continue;
      late += 1;
      delivery.ack();
    }
    // Acks of the partition that it kept are committed after those: then the late ones have had their time.
    for (const delivery of held) if (placeOf(delivery).partition !== partition) delivery.ack();
    await until(async () => (await ledger.committed())[1 - partition] === (await endOf(ledger, 1 - partition)), {
      what: "the rest",
      ms: 20_000,
    });
    const after = await ledger.committed();
    report("late acks", { late }, { before: before[partition], after: after[partition] });
    expect(late).toBe(10);
    expect(after[partition]).toBe(before[partition]);
    first.unsubscribe();
    second.unsubscribe();
    await slow.close();
    await fast.close();
    await ledger.close();
  });
});

async function endOf(ledger: Ledger, partition: number): Promise<number> {
  const ends = await ledger.admin.fetchTopicOffsets(ledger.input);
  return Number(ends.find((one) => one.partition === partition)?.high);
}
