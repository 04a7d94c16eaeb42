import type { Admin, Consumer } from "kafkajs";
import type { Subject, Subscription } from "rxjs";
import type { SessionOptions } from "../../core/broker.ts";
import type { OutgoingRecord, Position } from "../../core/record.ts";
import type { Commits } from "./commits.ts";
import type { KafkaDelivery } from "./delivery.ts";
import type { TopicPartition } from "./flow.ts";
import { rootCause } from "./kafkajs-errors.ts";
import type { Partition } from "./partition.ts";
import type { KafkaSink } from "./sink.ts";
import { startOffsets } from "./start-offsets.ts";

/** Acked records in a row after which a commit does not wait for its interval. */
const manySettled = 1_000;

/** The group has moved on; where it stands is asked for after the rejoin. */
const groupErrors = new Set(["ILLEGAL_GENERATION", "REBALANCE_IN_PROGRESS", "UNKNOWN_MEMBER_ID"]);

export interface OffsetCommitsParts {
  readonly admin: Admin;
  readonly sink: KafkaSink;
  readonly options: SessionOptions;
  /** Partitions that are ours, ready or not. */
  readonly partitions: () => Iterable<Partition>;
  readonly committed: Subject<Position>;
}

/** At least once: results are written as they come, and offsets are committed behind them, in one request at a time. */
export class OffsetCommits implements Commits {
  readonly byPartition = false;
  readonly full = false;
  private readonly parts: OffsetCommitsParts;
  private consumer: Consumer | undefined = undefined;
  private timer: Subscription | undefined = undefined;
  private running: Promise<void> | undefined = undefined;
  private settledSince = 0;
  private closed = false;

  constructor(parts: OffsetCommitsParts) {
    this.parts = parts;
  }

  async begin(consumer: Consumer, assigned: readonly TopicPartition[]): Promise<readonly number[]> {
    const { admin, options } = this.parts;
    this.consumer = consumer;
    const starts = await startOffsets(admin, options, assigned);
    const fresh = assigned.flatMap((one, index) => {
      const start = starts[index];
      return start?.fresh === true ? [{ ...one, offset: String(start.offset) }] : [];
    });
    if (fresh.length > 0) await consumer.commitOffsets(fresh);
    return starts.map(({ offset }) => offset);
  }

  publish(delivery: KafkaDelivery, outs: readonly OutgoingRecord[]): Promise<void> {
    return this.parts.sink.send(outs, delivery.position);
  }

  settled({ partition, slot }: KafkaDelivery): void {
    partition.settle(slot);
    this.settledSince += 1;
    if (this.settledSince >= manySettled) void this.commit();
    else this.schedule();
  }

  moved(): void {
    this.schedule();
  }

  async flush(): Promise<void> {
    await this.running;
    await this.commit();
  }

  lost(): void {}

  async close(): Promise<void> {
    this.closed = true;
    this.timer?.unsubscribe();
    await this.running;
  }

  private schedule(): void {
    if (this.timer !== undefined || this.closed) return;
    const { scheduler, commitIntervalMs } = this.parts.options;
    this.timer = scheduler.schedule(() => {
      this.timer = undefined;
      void this.commit();
    }, commitIntervalMs);
  }

  /** One request at a time: two could arrive in the wrong order. */
  private commit(): Promise<void> {
    this.running ??= this.commitOnce().finally(() => {
      this.running = undefined;
      if (this.anyDue()) this.schedule();
    });
    return this.running;
  }

  private anyDue(): boolean {
    for (const { ready, dirty } of this.parts.partitions()) if (ready && dirty) return true;
    return false;
  }

  private async commitOnce(): Promise<void> {
    const { consumer } = this;
    // A partition is not ready between a rejoin and the answer to where the group stands: its commit could take the group back.
    const due = [...this.parts.partitions()].filter(({ ready, lost, dirty }) => ready && !lost && dirty);
    if (consumer === undefined || due.length === 0) return;
    this.settledSince = 0;
    const marks = due.map((partition) => ({
      partition,
      watermark: partition.watermark,
      lastSettled: partition.lastSettled,
    }));
    try {
      await consumer.commitOffsets(
        marks.map(({ partition, watermark }) => ({
          topic: partition.topic,
          partition: partition.partition,
          offset: String(watermark),
        })),
      );
    } catch (err) {
      const { type = "" } = rootCause(err);
      const { logger } = this.parts.options;
      if (groupErrors.has(type)) logger.debug({ err }, "kafka commit came too late for its generation");
      else logger.warn({ err }, "kafka commit failed, and is tried again");
      return;
    }
    for (const { partition, watermark, lastSettled } of marks) {
      partition.committed = Math.max(partition.committed, watermark);
      if (lastSettled >= 0) this.parts.committed.next(`${partition.place}@${lastSettled}`);
    }
  }
}
