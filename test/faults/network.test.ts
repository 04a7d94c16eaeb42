import { silentLogger, type BrokerSession, type Delivery, type Logger, type ProcessingGuarantee } from "millrace";
import type { KafkaOptions } from "millrace/kafka";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { Ledger, report } from "./ledger.ts";
import { startProxiedKafka, type ProxiedKafka } from "./proxied-kafka.ts";
import { isRequest, type Proxy } from "./proxy.ts";
import { openSession, valueOf } from "./sessions.ts";
import { until } from "../../scripts/brokers/until.ts";
import { Watch } from "./watch.ts";
import { Worker } from "./workers.ts";

function workerOf(
  { groupId, input, output }: Ledger,
  brokers: readonly string[],
  processingGuarantee: ProcessingGuarantee,
  kafka: Partial<KafkaOptions> = {},
): Worker {
  return new Worker({
    kafka: {
      brokers,
      clientId: "worker",
      sessionTimeoutMs: 1_500,
      requestTimeoutMs: 2_000,
      transactionTimeoutMs: 30_000,
      ...kafka,
    },
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

/** Resolves when the start of each partition is committed, which takes a transaction without results. */
async function begun(ledger: Ledger): Promise<void> {
  await until(async () => (await ledger.committed()).every((offset) => offset >= 0), { what: "a start", ms: 30_000 });
}

describe.skipIf(inject("kafka") === undefined)("a network that fails", () => {
  let kafka: ProxiedKafka;
  let proxy: Proxy;
  let brokers: readonly string[] = [];
  beforeAll(async () => {
    kafka = await startProxiedKafka();
    ({ proxy, proxied: brokers } = kafka);
  });
  afterAll(() => kafka.stop());

  // Red without `enforceRequestTimeout` in src/brokers/kafka/client.ts and `checkSigns` in membership.ts `live`: each stands in for the other.
  test("a black hole, until the consumer is given up", async () => {
    const { cuts } = proxy;
    const ledger = await Ledger.open(brokers);
    await ledger.send(2_000);
    const worker = await workerOf(ledger, brokers, "at_least_once", { requestTimeoutMs: 500 }).ready();
    await moves(ledger);
    proxy.blackHole();
    await until(() => worker.replacements.length > 0, { what: "a new consumer", ms: 30_000 });
    proxy.mend();
    await ledger.send(2_000);
    await ledger.allCommitted();
    await worker.close();
    const account = await ledger.settle();
    report("black hole", { replaced: worker.replacements.length, cuts: proxy.cuts - cuts }, account);
    expect(proxy.cuts - cuts).toBeGreaterThan(0);
    expect(account).toMatchObject({ sent: 4_000, lost: 0, foreign: 0 });
    await ledger.close();
  });

  // Red without `checkSigns` in src/brokers/kafka/membership.ts `live`.
  test("a consumer that falls silent is replaced, and does no harm when it wakes up", async () => {
    const ledger = await Ledger.open(brokers);
    const worker = await workerOf(ledger, brokers, "at_least_once", { requestTimeoutMs: 60_000 }).ready();
    await ledger.send(2_000);
    await moves(ledger);
    // Heartbeats are made between fetches: neither comes any more, and no connection is lost.
    const release = await proxy.hold(isRequest(1, "worker"));
    const silences = (): number =>
      worker.replacements.filter((line) => line.includes("no heartbeat and no fetch")).length;
    await until(() => silences() > 0, { what: "a new consumer", ms: 30_000 });
    await ledger.send(500);
    await ledger.allCommitted();
    release();
    await ledger.send(500);
    await ledger.allCommitted();
    await worker.close();
    const account = await ledger.settle();
    report("a silent consumer", { silences: silences() }, account);
    expect(silences()).toBeGreaterThan(0);
    expect(account).toMatchObject({ sent: 3_000, lost: 0, foreign: 0 });
    await ledger.close();
  });

  // Red without `this.handOut.frozen = false` in src/brokers/kafka/source.ts `joined`: nothing is handed out any more.
  test("a consumer that crashes while its credit is used up", async () => {
    const ledger = await Ledger.open(brokers);
    await ledger.send(500);
    const [held, done] = [new Set<Delivery>(), new Set<string>()];
    let [crashes, assignments, most, acking] = [0, 0, 0, false];
    const logger: Logger = {
      ...silentLogger,
      info: (_, message) => void (assignments += message === "kafka partitions are assigned" ? 1 : 0),
      warn: (_, message) => void (crashes += message === "kafka consumer is replaced" ? 1 : 0),
    };
    const session = await openSession(brokers, ledger, { maxInFlight: 10, logger });
    const ack = (delivery: Delivery): void => {
      held.delete(delivery);
      done.add(valueOf(delivery));
      delivery.ack();
    };
    session.deliveries([ledger.input]).subscribe((delivery) => {
      if (acking) return ack(delivery);
      held.add(delivery);
      delivery.lane?.signal.addEventListener("abort", () => held.delete(delivery));
      most = Math.max(most, held.size);
    });
    const full = (): Promise<void> => until(() => held.size === 10, { what: "the credit to be used up", ms: 20_000 });
    await full();
    const known = assignments;
    const release = await proxy.hold(isRequest(12, "millrace")); // paused as it is, it says nothing but that it lives
    await until(() => crashes > 0 && assignments > known, { what: "a new consumer", ms: 20_000 });
    release();
    await full();
    acking = true;
    for (const delivery of held) ack(delivery);
    await until(() => done.size === 500, { what: () => `no hang: ${done.size} of 500`, ms: 20_000 });
    await ledger.allCommitted();
    await session.close();
    const { reordered: _, ...account } = ledger.account([...done]);
    report("a crash without credit", { crashes }, { most, ...account });
    expect(crashes).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(10);
    expect(account).toMatchObject({ sent: 500, lost: 0, foreign: 0 });
    await ledger.close();
  });

  // Red without `restart` in src/brokers/kafka/transactional-commits.ts `aborted`: the outcome is unknown, only fencing tells it, and the group stands still.
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

  // Red without the `await` of `this.write` in src/brokers/kafka/sink.ts `writeAll`: of two requests in flight one takes the other's place.
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

  // Red with a `transactionalId` in src/brokers/kafka/transactional-writer.ts that is not the partition's own but the process's: the transaction of the
  // stopped one ends after the takeover, and what it holds is there twice.
  test("a worker that is stopped with an open transaction, and ends it after another took over", async () => {
    const ledger = await Ledger.open(brokers);
    const zombie = await workerOf(ledger, brokers, "exactly_once").ready();
    await begun(ledger);
    let held = 0;
    const holding = proxy.hold((request) => {
      if (!isRequest(26)(request)) return false;
      held += 1;
      return true;
    });
    await ledger.send(1_000);
    const release = await holding;
    await zombie.stop();
    const other = await workerOf(ledger, brokers, "exactly_once").ready();
    await until(() => other.assigned === "[0,1,2]", { what: "the takeover", ms: 20_000 });
    await ledger.allCommitted();
    const before = await ledger.committed();
    release(); // its EndTxn
    const known = zombie.assignments;
    zombie.resume();
    await until(() => zombie.assignments > known, {
      what: () => `the zombie to rejoin: ${zombie.lines.join(" | ")}`,
      ms: 30_000,
    });
    await ledger.send(500);
    await ledger.allCommitted();
    await Promise.all([zombie.close(), other.close()]);
    const account = await ledger.settle();
    report(
      "an open transaction of a zombie",
      { held, stops: zombie.stops, rejoins: zombie.assignments - known },
      { before, ...account },
    );
    expect(held).toBe(1);
    expect(account).toEqual({ sent: 1_500, lost: 0, duplicated: 0, reordered: 0, foreign: 0 });
    await ledger.close();
  });

  // Red when src/brokers/kafka/transactional-commits.ts `begin` reads the offsets before `fence`: what the transaction holds is done twice.
  test("a transaction of a stopped worker that ends while another takes over", async () => {
    const ledger = await Ledger.open(brokers, { partitions: 1 });
    const standsAt = async (): Promise<number> => (await ledger.committed())[0] ?? -1;
    const zombie = await workerOf(ledger, brokers, "exactly_once", { clientId: "zombie" }).ready();
    await begun(ledger);
    const ending = proxy.hold(isRequest(26, "zombie"));
    await ledger.send(500);
    const end = await ending;
    await zombie.stop();
    const before = await standsAt();
    // That of the partition's own producer, whose id has the topic's name.
    const fencing = proxy.hold((request) => isRequest(22, "other")(request) && request.includes(ledger.input));
    const other = workerOf(ledger, brokers, "exactly_once", { clientId: "other" });
    const fence = await fencing;
    end();
    await until(async () => (await standsAt()) > before, { what: "the transaction's end", ms: 10_000 });
    const after = await standsAt();
    fence();
    await ledger.send(500); // for the other to do
    await ledger.allCommitted();
    await zombie.kill();
    await other.close();
    const account = await ledger.settle();
    report("a transaction that ends during the takeover", { stops: zombie.stops }, { before, after, ...account });
    expect(zombie.stops).toBe(1);
    expect(account).toEqual({ sent: 1_000, lost: 0, duplicated: 0, reordered: 0, foreign: 0 });
    await ledger.close();
  });

  // Red without the second call of `joinAndSync` in src/brokers/kafka/kafkajs-fixes.ts `fixRejoin`: the group waits for the first id until the session is over.
  test("a connection is cut while a new member joins under the id that it was given", async () => {
    const ledger = await Ledger.open(brokers);
    await ledger.send(100);
    const { cuts } = proxy;
    const bearsItsId = (request: Buffer): boolean => /worker-[0-9a-f]{8}-/.test(request.toString("latin1"));
    proxy.cutAt((request) => isRequest(11)(request) && bearsItsId(request));
    const worker = await workerOf(ledger, brokers, "at_least_once", { sessionTimeoutMs: 60_000 }).ready();
    await ledger.allCommitted(20_000);
    await worker.close();
    const account = await ledger.settle();
    report("cut while it joins", { cuts: proxy.cuts - cuts }, account);
    expect(proxy.cuts - cuts).toBe(1);
    expect(account).toMatchObject({ sent: 100, lost: 0, foreign: 0 });
    await ledger.close();
  });

  // Red with a commit of `position` in place of `watermark` in src/brokers/kafka/offset-commits.ts `commitOnce`: the group passes what is in flight.
  test("commits that are under way when a member joins, and when it leaves", async () => {
    const ledger = await Ledger.open(brokers);
    const watch = new Watch(ledger);
    const values = new Set<string>();
    const join = async (clientId: string): Promise<Member> => {
      const session = await openSession(brokers, ledger, { maxInFlight: 200, kafka: { clientId } });
      const member = { session, taken: 0 };
      session.deliveries([ledger.input]).subscribe((delivery) => {
        member.taken += 1;
        setTimeout(() => {
          if (watch.ack(delivery)) values.add(valueOf(delivery));
        }, Math.random() * 30);
      });
      return member;
    };
    const stopSending = ledger.keepSending();
    const steady = await join("steady");
    const commitUnderWay = (): Promise<() => void> => proxy.hold(isRequest(8, "steady"));
    const rebalancing = (): Promise<void> =>
      until(async () => (await ledger.state()) === "PreparingRebalance", { what: "a rebalance", ms: 10_000 });
    let held = 0;
    const letGo = (release: () => void): void => {
      held += 1;
      release();
    };
    for (let round = 0; round < 2; round += 1) {
      const atJoin = await commitUnderWay();
      const guest = await join("guest");
      await rebalancing();
      letGo(atJoin);
      await until(() => guest.taken > 0, { what: "the guest's share", ms: 20_000 });
      const atLeave = await commitUnderWay();
      await guest.session.close();
      await rebalancing();
      letGo(atLeave);
    }
    await stopSending();
    await ledger.allCommitted();
    await watch.end();
    await steady.session.close();
    const { looks, back, ahead } = watch;
    const { reordered: _, ...account } = ledger.account([...values]);
    report("commits under way at a rejoin", { held }, { looks, back, ahead, ...account });
    expect(held).toBe(4);
    expect({ back, ahead }).toEqual({ back: 0, ahead: 0 });
    expect(account).toMatchObject({ lost: 0, foreign: 0 });
    await ledger.close();
  });

  // Red without `ready` in src/brokers/kafka/offset-commits.ts `commitOnce`: the group goes back from 100 to 20.
  test("no commit between a rejoin and the answer to where the group stands", async () => {
    const ledger = await Ledger.open(brokers, { partitions: 1 });
    const watch = new Watch(ledger);
    await ledger.send(100);
    const inHand: Delivery[] = [];
    const steady = await openSession(brokers, ledger, { maxInFlight: 100, kafka: { clientId: "steady" } });
    const values = new Set<string>();
    const ack = (delivery: Delivery): void => {
      if (watch.ack(delivery)) values.add(valueOf(delivery));
    };
    let keep = true;
    const take = (delivery: Delivery): void => {
      if (keep) inHand.push(delivery);
      else ack(delivery);
    };
    steady.deliveries([ledger.input]).subscribe(take);
    const standsAt = (offset: number): Promise<void> =>
      until(async () => (await ledger.committed())[0] === offset, { what: `a commit of ${offset}`, ms: 20_000 });
    await until(() => inHand.length === 100, { what: "all in hand", ms: 20_000 });
    for (const delivery of inHand.slice(0, 10)) ack(delivery);
    await standsAt(10);
    // Its session ends, unknown to it, and another does all.
    const beat = await proxy.hold(isRequest(12, "steady"));
    const guest = await openSession(brokers, ledger, { maxInFlight: 100, kafka: { clientId: "guest" } });
    guest.deliveries([ledger.input]).subscribe(ack);
    await standsAt(100);
    await guest.close();
    // It is a member again, and asks where the group stands: kafkajs for itself, and the driver on a connection of its own.
    const asking = [1, 2].map(() => proxy.hold(isRequest(9, "steady")));
    beat();
    const answers = await Promise.all(asking);
    let late = 0;
    for (const delivery of inHand.slice(10, 20)) if (watch.ack(delivery)) late += 1;
    await watch.look(5); // meanwhile its time to commit has come
    keep = false;
    for (const answer of answers) answer();
    await watch.look(5); // what was held back has come through
    await ledger.send(50);
    await ledger.allCommitted();
    await watch.end();
    await steady.close();
    const { looks, back, ahead } = watch;
    const { reordered: _, ...account } = ledger.account([...values]);
    report("acks after a rejoin, behind the group", { late }, { looks, back, ahead, ...account });
    expect(late).toBe(10);
    expect({ back, ahead }).toEqual({ back: 0, ahead: 0 });
    expect(account).toMatchObject({ sent: 150, lost: 0, foreign: 0 });
    await ledger.close();
  });
});

interface Member {
  readonly session: BrokerSession;
  taken: number;
}
