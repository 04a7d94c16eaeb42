import { silentLogger, StreamsApp, StreamsBuilder, stringSerde } from "millrace";
import { kafkaBroker } from "millrace/kafka";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { until } from "../../scripts/brokers/until.ts";
import { Ledger, report } from "./ledger.ts";
import { startProxiedKafka, type ProxiedKafka } from "./proxied-kafka.ts";
import { isRequest, type Proxy } from "./proxy.ts";
import { isWhole, loggedTransactions } from "./transaction-log.ts";
import { Worker } from "./workers.ts";

const addOffsets = isRequest(25);
const endTransaction = isRequest(26);
const commitOffset = isRequest(28);
const initProducer = isRequest(22);

/** Where a commit is struck, and what the transaction then leaves in the two logs. */
const points = [
  {
    point: "before AddOffsetsToTxn",
    strike: (proxy: Proxy) => proxy.hold(addOffsets),
    left: { results: "ABORT", offset: "none" },
  },
  {
    point: "before TxnOffsetCommit",
    strike: (proxy: Proxy) => proxy.hold(commitOffset),
    left: { results: "ABORT", offset: "none" },
  },
  {
    point: "before EndTxn",
    strike: (proxy: Proxy) => proxy.hold(endTransaction),
    left: { results: "ABORT", offset: "ABORT" },
  },
  {
    point: "before the answer to EndTxn",
    strike: (proxy: Proxy) => proxy.holdAnswerTo(endTransaction),
    left: { results: "COMMIT", offset: "COMMIT" },
  },
];

describe.skipIf(inject("kafka") === undefined)("a transaction that is struck at an exact point", () => {
  let kafka: ProxiedKafka;
  beforeAll(async () => {
    kafka = await startProxiedKafka({ "transaction.abort.timed.out.transaction.cleanup.interval.ms": "200" });
  });
  const workers: Worker[] = [];
  afterEach(async () => {
    kafka.proxy.mend();
    await Promise.all(workers.splice(0).map((worker) => worker.kill())); // those that a failed test leaves
  });
  afterAll(() => kafka.stop());

  function workerOf(
    { groupId, input, output }: Ledger,
    brokers: readonly string[],
    transactionTimeoutMs = 30_000,
  ): Worker {
    const worker = new Worker({
      kafka: { brokers, sessionTimeoutMs: 1_500, transactionTimeoutMs },
      groupId,
      input,
      output,
      processingGuarantee: "exactly_once",
    });
    workers.push(worker);
    return worker;
  }

  // Red without one transaction for `send` and `sendOffsets` in src/brokers/kafka/transactional-writer.ts `commit`.
  test.each(points)("SIGKILL $point", async ({ point, strike, left }) => {
    const ledger = await Ledger.open(kafka.direct, { partitions: 1 });
    const victim = await workerOf(ledger, kafka.proxied).ready();
    await ledger.send(200);
    await ledger.allCommitted();
    let kills = 0;
    const killed = strike(kafka.proxy).then(async () => {
      await victim.kill();
      kills += 1;
    });
    await ledger.send(200);
    await killed;
    const other = await workerOf(ledger, kafka.direct).ready();
    await ledger.send(200);
    await ledger.allCommitted();
    await other.close();
    const log = await loggedTransactions(kafka.cluster, ledger);
    const struck = log.findLast(({ producer }) => producer === log[0]?.producer);
    const torn = log.filter((one) => !isWhole(one));
    const account = await ledger.settle();
    report(`SIGKILL ${point}`, { kills }, { transactions: log.length, torn: torn.length, ...account });
    expect(kills).toBe(1);
    expect(struck).toMatchObject(left);
    expect(torn).toEqual([]);
    expect(account).toEqual({ sent: 600, lost: 0, duplicated: 0, reordered: 0, foreign: 0 });
    await ledger.close();
  });

  // Red without `this.parts.restart(partition)` in src/brokers/kafka/transactional-commits.ts `aborted`.
  test("the coordinator aborts what is open for too long, and the worker goes on by itself", async () => {
    const ledger = await Ledger.open(kafka.direct, { partitions: 1 });
    const worker = await workerOf(ledger, kafka.proxied, 1_000).ready();
    await ledger.send(100);
    await ledger.allCommitted(); // a new group's first transaction has no results
    // Where read_committed ends: at an open transaction.
    const stableEnd = async (): Promise<number> =>
      Number((await ledger.admin.fetchTopicOffsets(ledger.output))[0]?.high);
    let expired = 0;
    for (const request of [addOffsets, commitOffset, endTransaction]) {
      const holding = kafka.proxy.hold(request);
      await ledger.send(100);
      const release = await holding;
      const before = await stableEnd();
      await until(async () => (await stableEnd()) > before, { what: "the coordinator to abort", ms: 20_000 });
      expired += 1;
      release();
      await ledger.allCommitted();
    }
    const { assignments } = worker;
    await worker.close();
    const log = await loggedTransactions(kafka.cluster, ledger);
    const aborted = log.filter(({ results }) => results === "ABORT").length;
    const torn = log.filter((one) => !isWhole(one));
    const account = await ledger.settle();
    report("transactions that expire", { expired, aborted }, { assignments, torn: torn.length, ...account });
    expect(aborted).toBe(3);
    expect(assignments).toBe(1);
    expect(torn).toEqual([]);
    expect(account).toEqual({ sent: 400, lost: 0, duplicated: 0, reordered: 0, foreign: 0 });
    await ledger.close();
  });

  // Red without the order of src/brokers/kafka/transactional-commits.ts `begin` (fence, then read the offset): the first case. Both without `writer.fence()`.
  test.each(["just before", "after"] as const)(
    "a new owner starts at the committed offset when the old one ends its transaction %s it is fenced",
    async (moment) => {
      const ledger = await Ledger.open(kafka.direct, { partitions: 1 });
      const old = await workerOf(ledger, kafka.proxied).ready();
      await ledger.send(200);
      await ledger.allCommitted();
      const holding = kafka.proxy.hold(endTransaction);
      await ledger.send(200);
      const end = await holding;
      await old.stop();
      let fence: (() => void) | undefined;
      // Not that of the app's other producer, which has no transactional id.
      const fencing = kafka.proxy.hold((request) => initProducer(request) && request.includes(ledger.groupId));
      void fencing.then((release) => (fence = release));
      const owner = await takeOver(ledger, kafka.proxied);
      await until(() => fence !== undefined, { what: "the fencing", ms: 20_000 });
      const [before = -1] = await ledger.committed();
      if (moment === "just before") {
        end();
        await until(async () => (await ledger.committed())[0] !== before, { what: "the commit", ms: 20_000 });
      }
      fence?.();
      await ledger.send(100);
      await until(() => owner.start() !== undefined, { what: "the new owner to start", ms: 20_000 });
      const start = owner.start();
      if (moment === "after") end();
      const [committed] = await ledger.committed();
      owner.goOn();
      const known = old.assignments;
      old.resume();
      await until(() => old.assignments > known, { what: "the old one to rejoin", ms: 30_000 });
      const rejoins = old.assignments - known;
      await ledger.allCommitted();
      await Promise.all([old.close(), owner.app.close()]);
      const account = await ledger.settle();
      report(`takeover, ended ${moment} the fencing`, { rejoins }, { before, committed, start, ...account });
      expect(rejoins).toBeGreaterThan(0);
      expect(start).toBe(committed);
      expect(account).toMatchObject({ lost: 0, duplicated: 0, reordered: 0, foreign: 0 });
      await ledger.close();
    },
  );

  // Red without one transaction for `send` and `sendOffsets` in src/brokers/kafka/transactional-writer.ts `commit`.
  test("the broker is restarted while three transactions are open, each at another point", async () => {
    const ledger = await Ledger.open(kafka.direct, { partitions: 3 });
    const worker = await workerOf(ledger, kafka.proxied).ready();
    await ledger.send(300);
    await ledger.allCommitted();
    let open = 0;
    const holding = [addOffsets, commitOffset, endTransaction].map((request) =>
      kafka.proxy.hold(request).then(() => (open += 1)),
    );
    await ledger.send(300);
    await Promise.all(holding);
    await kafka.node.kill("SIGTERM");
    await kafka.node.start();
    await ledger.send(300);
    await ledger.allCommitted();
    await worker.close();
    const aborted = worker.lines.filter((line) => line.includes("kafka transaction was aborted")).length;
    const account = await ledger.settle();
    report("broker restart inside transactions", { open, aborted }, account);
    expect(open).toBe(3);
    expect(aborted).toBeGreaterThanOrEqual(3);
    expect(account).toEqual({ sent: 900, lost: 0, duplicated: 0, reordered: 0, foreign: 0 });
    await ledger.close();
  });
});

interface Owner {
  readonly app: StreamsApp;
  /** Offset of the first record that it was handed. */
  readonly start: () => number | undefined;
  /** Lets it work; before, it commits nothing. */
  readonly goOn: () => void;
}

/** Joins the group in this process, and waits with its first record. */
async function takeOver({ groupId, input, output }: Ledger, brokers: readonly string[]): Promise<Owner> {
  let start: number | undefined;
  let goOn = (): void => {};
  const gate = new Promise<void>((resolve) => (goOn = resolve));
  const builder = new StreamsBuilder();
  builder
    .stream(input, { value: stringSerde })
    .mapAsync(
      async (value) => {
        // The ledger numbers its records from 1: in one partition, without a gap.
        start ??= Number(value.split(":")[0]) - 1;
        await gate;
        return value;
      },
      { concurrency: 64 },
    )
    .to(output, { value: stringSerde });
  const app = new StreamsApp(builder.build(), {
    applicationId: groupId,
    broker: kafkaBroker({ brokers, sessionTimeoutMs: 1_500 }),
    processingGuarantee: "exactly_once",
    logger: silentLogger,
  });
  await app.start();
  return { app, start: () => start, goOn: () => goOn() };
}
