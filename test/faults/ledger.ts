import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";
import type { Admin, Kafka, Producer } from "kafkajs";
import { silentLogger } from "millrace";
import { applyKafkajsFixes } from "../../src/brokers/kafka/kafkajs-fixes.ts";
import { until } from "../../scripts/brokers/until.ts";

/** The kafkajs of the tests: its own copy, with the filter of aborted records mended. Nothing of the driver runs in it. */
export function plainKafka(brokers: readonly string[]): Kafka {
  applyKafkajsFixes(silentLogger);
  // Its own types describe what kafkajs exports.
  const kafkajs = createRequire(import.meta.url)("kafkajs") as typeof import("kafkajs");
  return new kafkajs.Kafka({
    brokers: [...brokers],
    clientId: "ledger",
    logLevel: kafkajs.logLevel.NOTHING,
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, multiplier: 2, factor: 0.2, retries: 60 },
  });
}

/** How what came out differs from what went in. */
export interface Account {
  readonly sent: number;
  readonly lost: number;
  readonly duplicated: number;
  /** First sights of a record after a later one of the same key. */
  readonly reordered: number;
  /** Ids that nobody sent. */
  readonly foreign: number;
}

/** A record as the independent reader saw it. */
export interface Seen {
  readonly partition: number;
  readonly offset: string;
  readonly value: string;
}

const sentinel = "the end";

/**
 * What the brokers acknowledged to a producer of ours, and what a reader of ours finds afterwards: nothing of it is known to the code under test.
 *
 * Values are `<number>:<key>`, numbers rise.
 */
export class Ledger {
  readonly input = `in-${randomUUID()}`;
  readonly output = `out-${randomUUID()}`;
  readonly groupId = `group-${randomUUID()}`;
  readonly admin: Admin;
  readonly sent: string[] = [];
  private readonly kafka: Kafka;
  private readonly producer: Producer;
  private readonly partitions: number;
  /** What `send` has sent. */
  private readonly acknowledged: string[] = [];
  /** How often each record is in the input. */
  private readonly written = new Map<string, number>();
  private next = 0;

  private constructor(kafka: Kafka, partitions: number) {
    this.kafka = kafka;
    this.admin = kafka.admin();
    // Not idempotent: after a rejection kafkajs would acknowledge what is not in the log.
    this.producer = kafka.producer({ allowAutoTopicCreation: false });
    this.partitions = partitions;
  }

  /** Creates an input and an output topic of its own. */
  static async open(
    brokers: readonly string[],
    {
      partitions = 3,
      replicationFactor = 1,
    }: { readonly partitions?: number; readonly replicationFactor?: number } = {},
  ): Promise<Ledger> {
    const ledger = new Ledger(plainKafka(brokers), partitions);
    await ledger.admin.connect();
    await ledger.admin.createTopics({
      waitForLeaders: true,
      topics: [ledger.input, ledger.output, `${ledger.groupId}.dlq`].map((topic) => ({
        topic,
        numPartitions: partitions,
        replicationFactor,
      })),
    });
    await ledger.producer.connect();
    return ledger;
  }

  /** Sends so many records and notes them once they are acknowledged: until then they are sent again. */
  async send(count: number): Promise<void> {
    const values = Array.from({ length: count }, () => {
      this.next += 1;
      return `${this.next}:${this.next % 16}`;
    });
    const messages = values.map((value) => {
      const key = value.split(":")[1] ?? "";
      return { key, value, partition: Number(key) % this.partitions };
    });
    const expected = new Set(messages.map(({ partition }) => partition)).size;
    await until(
      () =>
        this.producer.send({ topic: this.input, messages }).then(
          // kafkajs drops what is for a partition without a leader, and resolves.
          (results) => results.length === expected,
          () => false,
        ),
      { what: "an acknowledgement", ms: 90_000 },
    );
    this.sent.push(...values);
    this.acknowledged.push(...values);
  }

  /** Sends records until the function that it gives is called. */
  keepSending(): () => Promise<void> {
    let done = false;
    const sending = (async () => {
      while (!done) {
        await this.send(200);
        await sleep(20);
      }
    })();
    return () => {
      done = true;
      return sending;
    };
  }

  /** Records that the group has not committed yet. */
  async lag(): Promise<number> {
    const ends = await this.admin.fetchTopicOffsets(this.input);
    const [group] = await this.admin.fetchOffsets({ groupId: this.groupId, topics: [this.input] });
    return ends.reduce((sum, { partition, high }) => {
      const at = Number(group?.partitions.find((one) => one.partition === partition)?.offset ?? -1);
      return sum + Number(high) - Math.max(0, at);
    }, 0);
  }

  /** Resolves when the group has committed all that was sent. */
  async allCommitted(ms = 60_000): Promise<void> {
    await until(async () => (await this.lag().catch(() => 1)) === 0, {
      what: "the group's lag to reach 0",
      ms,
      everyMs: 200,
    });
  }

  /** Where the group stands, by partition. */
  async committed(): Promise<readonly number[]> {
    const [group] = await this.admin.fetchOffsets({ groupId: this.groupId, topics: [this.input] });
    const offsets = new Array<number>(this.partitions).fill(-1);
    for (const { partition, offset } of group?.partitions ?? []) offsets[partition] = Number(offset);
    return offsets;
  }

  /** What the coordinator says of the group: `Stable`, `PreparingRebalance`, … */
  async state(): Promise<string> {
    const { groups } = await this.admin.describeGroups([this.groupId]);
    return groups[0]?.state ?? "";
  }

  /** Ends the output with a record per partition, so that a reader knows when it has read all. */
  async seal(topic = this.output): Promise<void> {
    await this.producer.send({
      topic,
      messages: Array.from({ length: this.partitions }, (_, partition) => ({ partition, value: sentinel })),
    });
  }

  /** All of the sealed output, read with `read_committed`. */
  async read(topic = this.output): Promise<readonly Seen[]> {
    const consumer = this.kafka.consumer({ groupId: randomUUID(), readUncommitted: false, maxWaitTimeInMs: 100 });
    // A rebalance of this reader's own group must not look like a duplicate.
    const seen = new Map<string, Seen>();
    const sealed = new Set<number>();
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachMessage: ({ partition, message }) => {
        const value = message.value?.toString() ?? "";
        if (value === sentinel) sealed.add(partition);
        else seen.set(`${partition}@${message.offset}`, { partition, offset: message.offset, value });
        return Promise.resolve();
      },
    });
    await until(() => sealed.size === this.partitions, { what: "the end of the output", ms: 60_000 });
    await consumer.disconnect();
    return [...seen.values()];
  }

  /** Compares values that were read with what was sent. */
  account(values: readonly string[]): Account {
    const counts = new Map<string, number>();
    const last = new Map<string, number>();
    let reordered = 0;
    for (const value of values) {
      const count = (counts.get(value) ?? 0) + 1;
      counts.set(value, count);
      const [number = "", key = ""] = value.split(":");
      if (count > 1) continue;
      if (Number(number) < (last.get(key) ?? 0)) reordered += 1;
      else last.set(key, Number(number));
    }
    const expected = new Set(this.sent);
    let duplicated = 0;
    for (const [value, count] of counts) duplicated += Math.max(0, count - (this.written.get(value) ?? 1));
    return {
      sent: expected.size,
      lost: this.sent.filter((value) => !counts.has(value)).length,
      duplicated,
      reordered,
      foreign: [...counts.keys()].filter((value) => !expected.has(value)).length,
    };
  }

  /** Seals both topics, reads them and compares: what the input has twice may come out twice. */
  async settle(): Promise<Account> {
    await this.seal(this.input);
    await this.seal();
    const input = await this.read(this.input);
    for (const { value } of input) this.written.set(value, (this.written.get(value) ?? 0) + 1);
    const unwritten = this.acknowledged.filter((value) => !this.written.has(value)).length;
    if (unwritten > 0) throw new Error(`the brokers lost ${unwritten} records of the input that they had acknowledged`);
    return this.account((await this.read()).map(({ value }) => value));
  }

  async close(): Promise<void> {
    await this.producer.disconnect();
    await this.admin.disconnect();
  }
}

/** Prints what struck and what became of it. */
export function report(test: string, faults: Readonly<Record<string, number>>, account: object): void {
  process.stdout.write(`[faults] ${test}: ${JSON.stringify({ struck: faults, ...account })}\n`);
}
