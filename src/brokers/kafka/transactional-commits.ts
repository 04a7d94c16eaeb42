import type { Admin, Consumer, Kafka } from "kafkajs";
import type { Subject } from "rxjs";
import type { SessionOptions } from "../../core/broker.ts";
import { BrokerError, messageOf, PublishError } from "../../core/errors.ts";
import { provenanceHeaders } from "../../core/provenance.ts";
import type { OutgoingRecord, Position } from "../../core/record.ts";
import type { Commits } from "./commits.ts";
import type { KafkaDelivery } from "./delivery.ts";
import { encodeRecord, StickyPartitions } from "./encode.ts";
import type { TopicPartition } from "./flow.ts";
import { classify } from "./kafkajs-errors.ts";
import type { KafkaSettings } from "./options.ts";
import type { Partition } from "./partition.ts";
import { startOffsets } from "./start-offsets.ts";
import type { TopicCatalog } from "./topics.ts";
import { TransactionalWriter, type Settled } from "./transactional-writer.ts";

/** Outputs in a row after which a commit does not wait for its interval. */
const manyOutputs = 1_000;

/** Aborts at one watermark, for a reason that no restart mends, after which the session fails. */
const mostAborts = 3;

export interface TransactionalCommitsParts {
  readonly settings: KafkaSettings;
  readonly options: SessionOptions;
  readonly transactions: Kafka;
  readonly admin: Admin;
  readonly catalog: TopicCatalog;
  readonly committed: Subject<Position>;
  /** Begins a partition anew: its transaction was aborted. */
  readonly restart: (partition: Partition) => void;
  readonly failed: (error: BrokerError) => void;
  /** Room was made for more results. */
  readonly freed: () => void;
}

/** What waits for the next transaction of one partition. */
interface Pending {
  readonly writer: TransactionalWriter;
  settled: Settled[];
  /** Results in `settled`. */
  outputs: number;
  /** Results of all that is acked and not committed. */
  held: number;
  timer: { unsubscribe(): void } | undefined;
  running: Promise<void> | undefined;
}

/**
 * Exactly once: results of a partition and its offset go into one transaction of the partition's own producer, whose id fences whoever held the
 * partition before.
 *
 * Order on assignment, which nothing may change: fence, read the committed offset, seek, resume. A transaction that fails for any reason is taken
 * as a loss of the partition: it is fenced and begun anew.
 */
export class TransactionalCommits implements Commits {
  readonly byPartition = true;
  private readonly parts: TransactionalCommitsParts;
  private readonly sticky = new StickyPartitions();
  /** Fenced, and not yet used. */
  private readonly fenced = new Map<string, TransactionalWriter>();
  /** The last fencing of each partition that was begun: an earlier one that ends later must not take its place. */
  private readonly turns = new Map<string, object>();
  private readonly pending = new Map<Partition, Pending>();
  /** Records that the broker refused for good, by their id: the replay dead-letters them. */
  private readonly refused = new Map<string, string>();
  private readonly aborts = new Map<string, { readonly at: number; readonly count: number }>();
  private readonly closing = new Set<Promise<void>>();
  private held = 0;

  constructor(parts: TransactionalCommitsParts) {
    this.parts = parts;
  }

  /** Results that wait for a transaction: more than these are not made. */
  get full(): boolean {
    return this.held >= 4 * this.parts.options.maxInFlight;
  }

  async begin(_consumer: Consumer, assigned: readonly TopicPartition[]): Promise<readonly number[]> {
    const { admin, options } = this.parts;
    const writers = await Promise.all(assigned.map((one) => this.fence(one)));
    const starts = await startOffsets(admin, options, assigned);
    for (const [index, writer] of writers.entries()) {
      const start = starts[index];
      if (start?.fresh === true) await writer.commit([], start.offset);
    }
    return starts.map(({ offset }) => offset);
  }

  publish(delivery: KafkaDelivery, outs: readonly OutgoingRecord[]): Promise<void> | undefined {
    const { catalog } = this.parts;
    const unknown = new Set(
      outs.map(({ topic }) => topic).filter((topic) => catalog.partitionsOf(topic) === undefined),
    );
    if (unknown.size > 0) return this.publishLater(delivery, outs, unknown);
    this.collect(delivery, outs);
    return undefined;
  }

  settled(delivery: KafkaDelivery): void {
    const { partition, slot } = delivery;
    const pending = this.pendingOf(partition);
    slot.outbox = delivery.outbox;
    this.hold(pending, slot.outbox?.length ?? 0);
    partition.settle(slot, ({ offset, outbox = [] }) => {
      pending.settled.push({ offset, outputs: outbox });
      pending.outputs += outbox.length;
    });
    if (pending.settled.length === 0) return;
    if (pending.outputs >= manyOutputs) this.commit(partition, pending);
    else this.schedule(partition, pending);
  }

  moved(partition: Partition): void {
    this.schedule(partition, this.pendingOf(partition));
  }

  async flush(): Promise<void> {
    await Promise.all(
      Array.from(this.pending, async ([partition, pending]) => {
        await pending.running;
        if (!partition.lost && partition.dirty) this.commit(partition, pending);
        await pending.running;
      }),
    );
  }

  lost(partition: Partition): void {
    const pending = this.pending.get(partition);
    const writer = pending?.writer ?? this.fenced.get(partition.id);
    this.pending.delete(partition);
    this.fenced.delete(partition.id);
    pending?.timer?.unsubscribe();
    if (pending !== undefined) this.hold(pending, -pending.held);
    if (writer !== undefined) this.dispose(writer, pending?.running);
    this.parts.freed();
  }

  async close(): Promise<void> {
    for (const writer of this.fenced.values()) this.dispose(writer, undefined);
    this.fenced.clear();
    await Promise.all(this.closing);
  }

  private async publishLater(
    delivery: KafkaDelivery,
    outs: readonly OutgoingRecord[],
    topics: ReadonlySet<string>,
  ): Promise<void> {
    for (const topic of topics) {
      await this.parts.catalog.lookUp(topic).catch((cause: unknown) => {
        throw new BrokerError(`topic ${topic} can't be looked up: ${messageOf(cause)}`, "kafka", { cause });
      });
    }
    this.collect(delivery, outs);
  }

  /** Encodes and checks now; what is wrong with a record is the caller's to know before the transaction. */
  private collect(delivery: KafkaDelivery, outs: readonly OutgoingRecord[]): void {
    const { position } = delivery;
    const encoded = outs.map((out) => {
      const id = idOf(out, position);
      const reason = this.refused.get(id);
      if (reason === undefined) return { id, ...encodeRecord(out, this.parts.catalog, this.sticky, position) };
      this.refused.delete(id); // once: its dead letter may bear the same id
      throw new PublishError(reason, position, { retryable: false });
    });
    delivery.outbox ??= [];
    delivery.outbox.push(...encoded);
  }

  /** A producer of our own for the partition: the broker aborts what an earlier one has open, and refuses it from now on. */
  private async fence(one: TopicPartition): Promise<TransactionalWriter> {
    const { transactions, settings, options, catalog } = this.parts;
    const id = `${one.topic}/${one.partition}`;
    const turn = {};
    this.turns.set(id, turn);
    const writer = new TransactionalWriter({ transactions, settings, groupId: options.groupId, catalog, source: one });
    try {
      await writer.fence();
      if (this.turns.get(id) !== turn) throw new Error(`${id} was assigned again while it was fenced`);
    } catch (cause) {
      this.dispose(writer, undefined);
      throw cause;
    }
    const before = this.fenced.get(id);
    if (before !== undefined) this.dispose(before, undefined);
    this.fenced.set(id, writer);
    return writer;
  }

  private pendingOf(partition: Partition): Pending {
    let pending = this.pending.get(partition);
    if (pending !== undefined) return pending;
    const writer = this.fenced.get(partition.id);
    if (writer === undefined) throw new Error(`partition ${partition.id} was opened without being fenced`);
    this.fenced.delete(partition.id);
    pending = { writer, settled: [], outputs: 0, held: 0, timer: undefined, running: undefined };
    this.pending.set(partition, pending);
    return pending;
  }

  private hold(pending: Pending, outputs: number): void {
    pending.held += outputs;
    this.held += outputs;
  }

  private schedule(partition: Partition, pending: Pending): void {
    if (pending.timer !== undefined || pending.running !== undefined) return;
    const { scheduler, commitIntervalMs } = this.parts.options;
    pending.timer = scheduler.schedule(() => {
      pending.timer = undefined;
      this.commit(partition, pending);
    }, commitIntervalMs);
  }

  /** One transaction at a time; what is settled meanwhile goes into the next, and work goes on. */
  private commit(partition: Partition, pending: Pending): void {
    if (partition.lost || pending.running !== undefined) return;
    pending.timer?.unsubscribe();
    pending.timer = undefined;
    pending.running = this.commitOnce(partition, pending).finally(() => {
      pending.running = undefined;
      if (!partition.lost && partition.dirty) this.schedule(partition, pending);
    });
  }

  private async commitOnce(partition: Partition, pending: Pending): Promise<void> {
    const { settled } = pending;
    const { watermark, lastSettled } = partition;
    pending.settled = [];
    pending.outputs = 0;
    this.sticky.nextBatch();
    const outputs = settled.flatMap((one) => one.outputs);
    try {
      await pending.writer.commit(outputs, watermark);
    } catch (cause) {
      return this.aborted(partition, outputs, cause);
    }
    if (!partition.lost) this.hold(pending, -outputs.length);
    this.aborts.delete(partition.id);
    partition.committed = watermark;
    if (lastSettled >= 0) this.parts.committed.next(`${partition.place}@${lastSettled}`);
    this.parts.freed();
  }

  /** Its outcome may be unknown: a new producer settles it, and the committed offset tells where to go on. */
  private async aborted(partition: Partition, outputs: Settled["outputs"], cause: unknown): Promise<void> {
    if (partition.lost) return;
    const { catalog, options } = this.parts;
    const { logger } = options;
    const kind = classify(cause);
    logger.warn({ err: cause, partition: partition.id, kind }, "kafka transaction was aborted");
    if (kind === "fatal" || (kind === "poison" && this.tooMany(partition))) {
      const message = `transactions of ${partition.id} at offset ${partition.committed} fail`;
      return this.parts.failed(new BrokerError(message, "kafka", { cause }));
    }
    if (kind === "poison") {
      // A limit that was lowered refuses whole batches: with the new one they are made to fit.
      await catalog
        .refresh()
        .catch((err: unknown) => logger.debug({ err }, "kafka topics could not be described again"));
      await this.findRefused(partition, outputs);
    }
    this.parts.restart(partition);
  }

  private tooMany({ id, committed }: Partition): boolean {
    const before = this.aborts.get(id);
    const count = before?.at === committed ? before.count + 1 : 1;
    this.aborts.set(id, { at: committed, count });
    return count >= mostAborts;
  }

  /** Finds the records that the broker refuses, by halves, in transactions that are aborted: nothing of them is ever seen. */
  private async findRefused(partition: Partition, outputs: Settled["outputs"]): Promise<void> {
    const { transactions, settings, options, catalog } = this.parts;
    const source = { topic: partition.topic, partition: partition.partition };
    const refused = async (some: Settled["outputs"]): Promise<void> => {
      // Who holds it now must not be fenced.
      if (some.length === 0 || partition.lost) return;
      const writer = new TransactionalWriter({ transactions, settings, groupId: options.groupId, catalog, source });
      try {
        await writer.fence();
        await writer.probe(some);
      } catch (cause) {
        if (classify(cause) !== "poison") return; // found at the next abort
        const [only] = some;
        if (some.length === 1 && only !== undefined) {
          this.refused.set(only.id, `the broker refused a record for ${only.topic}: ${String(cause)}`);
          return;
        }
        await refused(some.slice(0, some.length / 2));
        await refused(some.slice(some.length / 2));
      } finally {
        this.dispose(writer, undefined);
      }
    };
    await refused(outputs);
  }

  private dispose(writer: TransactionalWriter, running: Promise<void> | undefined): void {
    const gone = (running ?? Promise.resolve())
      .then(() => writer.close())
      .catch((err: unknown) => this.parts.options.logger.debug({ err }, "kafka producer could not be closed"))
      .finally(() => this.closing.delete(gone));
    this.closing.add(gone);
  }
}

/** What a record keeps when it is made again from the same delivery. */
function idOf({ headers }: OutgoingRecord, position: Position): string {
  const id = headers.find(([name]) => name === provenanceHeaders.id)?.[1];
  return id === undefined ? position : new TextDecoder().decode(id);
}
