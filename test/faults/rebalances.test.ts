import { setMaxListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { asyncScheduler } from "rxjs";
import { silentLogger, StreamsApp, StreamsBuilder, stringSerde, type BrokerSession, type Delivery } from "millrace";
import { kafkaBroker } from "millrace/kafka";
import { describe, expect, inject, test } from "vitest";
import { Ledger, report } from "./ledger.ts";
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

async function openSession(ledger: Ledger, maxInFlight: number): Promise<BrokerSession> {
  return kafkaBroker({
    brokers,
    sessionTimeoutMs: 1_500,
    rebalanceTimeoutMs: 2_000,
    rebalanceDrainMs: 200,
  }).open({
    groupId: ledger.groupId,
    maxInFlight,
    processingGuarantee: "at_least_once",
    commitIntervalMs: 50,
    autoOffsetReset: {},
    topics: [ledger.input],
    scheduler: asyncScheduler,
    logger: silentLogger,
  });
}

/** Sends record after record, until the function that it gives is called. */
function keepSending(ledger: Ledger): () => Promise<void> {
  let done = false;
  const sending = (async () => {
    while (!done) {
      await ledger.send(200);
      await sleep(20);
    }
  })();
  return () => {
    done = true;
    return sending;
  };
}

describe.skipIf(kafka === undefined)("rebalances", () => {
  // Red without `if (offset < partition.position) continue` (duplicates in flight) or `rejoining` in src/brokers/kafka/source.ts; order: `lane` of partition.ts.
  test.each(["at_least_once", "exactly_once"] as const)(
    "%s: ten members join and leave, one after the other",
    async (processingGuarantee) => {
      const ledger = await Ledger.open(brokers, { partitions: 6 });
      const settings = { processingGuarantee };
      const stays = await join(ledger, 30, settings);
      const stopSending = keepSending(ledger);
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

  // Red without the order of src/brokers/kafka/transactional-commits.ts `begin` (fence, then read the offset), also between two assignments.
  test("exactly once: members that come and go faster than the group can follow", async () => {
    const ledger = await Ledger.open(brokers, { partitions: 6 });
    const settings = { processingGuarantee: "exactly_once" };
    const stays = await join(ledger, 30, settings);
    const stopSending = keepSending(ledger);
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
      const session = await openSession(ledger, 100);
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

  // Red without `if (delivery.partition.lost) return` in src/brokers/kafka/hand-out.ts `acked` together with `ready && !lost` in offset-commits.ts `commitOnce`.
  test("an ack after the partition was taken away does not take the group back", async () => {
    const ledger = await Ledger.open(brokers, { partitions: 2 });
    await ledger.send(200);
    const held: Delivery[] = [];
    const slow = await openSession(ledger, 1_000);
    const first = slow.deliveries([ledger.input]).subscribe((delivery) => held.push(delivery));
    await until(() => held.length === 200, { what: "all in hand", ms: 20_000 });
    const fast = await openSession(ledger, 1_000);
    const taken = new Set<number>();
    const second = fast.deliveries([ledger.input]).subscribe((delivery) => {
      taken.add(Number(/\/(\d+)@/.exec(delivery.position)?.[1]));
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
      if (!delivery.position.includes(`/${partition}@`) || late === 10) continue;
      late += 1;
      delivery.ack();
    }
    // Acks of the partition that it kept are committed after those: then the late ones have had their time.
    for (const delivery of held) if (!delivery.position.includes(`/${partition}@`)) delivery.ack();
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

  // Red without `this.flow.reset()` in src/brokers/kafka/source.ts `joined`: kafkajs forgets what is paused.
  test("a rebalance while the credit is used up", async () => {
    const ledger = await Ledger.open(brokers, { partitions: 4 });
    await ledger.send(1_000);
    const waiting: Delivery[] = [];
    let outstanding = 0;
    let most = 0;
    const done = new Set<string>();
    const take = (delivery: Delivery): void => {
      outstanding += 1;
      most = Math.max(most, outstanding);
      waiting.push(delivery);
      if (delivery.lane !== undefined) setMaxListeners(0, delivery.lane.signal);
      delivery.lane?.signal.addEventListener("abort", () => {
        const place = waiting.indexOf(delivery);
        if (place < 0) return;
        waiting.splice(place, 1);
        outstanding -= 1;
      });
    };
    const session = await openSession(ledger, 10);
    const subscription = session.deliveries([ledger.input]).subscribe(take);
    await until(() => outstanding === 10, { what: "the credit to be used up", ms: 20_000 });
    let rebalances = 0;
    for (; rebalances < 6; rebalances += 2) {
      const other = await openSession(ledger, 10);
      let got = 0;
      const reading = other.deliveries([ledger.input]).subscribe(() => (got += 1));
      await until(() => got > 0, { what: "the other to get some", ms: 20_000 });
      reading.unsubscribe();
      await other.close();
    }
    const acking = setInterval(() => {
      for (const delivery of waiting.splice(0)) {
        outstanding -= 1;
        done.add(valueOf(delivery));
        delivery.ack();
      }
    }, 1);
    await until(() => done.size === 1_000, {
      what: () => `no hang: ${done.size} of 1000`,
      ms: 30_000,
    });
    clearInterval(acking);
    await ledger.allCommitted();
    const account = ledger.account([...done]);
    report("no credit during rebalances", { rebalances }, { most, ...account });
    expect(most).toBeLessThanOrEqual(10);
    expect(account).toMatchObject({ lost: 0 });
    subscription.unsubscribe();
    await session.close();
    await ledger.close();
  });
});

function valueOf({ record }: Delivery): string {
  return new TextDecoder().decode(record.value ?? new Uint8Array());
}

async function endOf(ledger: Ledger, partition: number): Promise<number> {
  const ends = await ledger.admin.fetchTopicOffsets(ledger.input);
  return Number(ends.find((one) => one.partition === partition)?.high);
}
