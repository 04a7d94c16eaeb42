import type { Admin, Batch, Consumer } from "kafkajs";
import type { Subscriber } from "rxjs";
import type { Delivery, DrainReport, SessionOptions } from "../../core/broker.ts";
import { BrokerError, messageOf } from "../../core/errors.ts";
import type { Commits } from "./commits.ts";
import { Flow, type TopicPartition } from "./flow.ts";
import { HandOut } from "./hand-out.ts";
import { classify } from "./kafkajs-errors.ts";
import type { FilteredBatch, GroupAssignment, MembershipEvents } from "./membership.ts";
import type { KafkaSettings } from "./options.ts";
import { Partition } from "./partition.ts";

export interface SourceParts {
  readonly settings: KafkaSettings;
  readonly options: SessionOptions;
  readonly admin: Admin;
  readonly commits: Commits;
  /** Partitions that are ours, by `topic/partition`. */
  readonly partitions: Map<string, Partition>;
  readonly out: Subscriber<Delivery>;
}

/** What a member of the group reads: opens and closes partitions as the group gives and takes them. */
export class KafkaSource implements MembershipEvents {
  private readonly parts: SourceParts;
  private readonly flow: Flow;
  private readonly handOut: HandOut;
  private consumer: Consumer | undefined = undefined;
  private assigned: readonly TopicPartition[] = [];
  /** Counts assignments: what was begun in an earlier one is not finished. */
  private epoch = 0;
  /** Begins of the present assignment that have no answer yet. */
  private beginning = 0;
  private lanes = 0;
  private closed = false;

  constructor(parts: SourceParts) {
    const { options, commits, out } = parts;
    this.parts = parts;
    this.flow = new Flow(commits.byPartition);
    this.handOut = new HandOut({ options, commits, out, changed: () => this.steer() });
  }

  /** False until it is known where the group stands in all partitions that it gave us. */
  get connected(): boolean {
    return this.consumer !== undefined && this.beginning === 0;
  }

  async rejoining(heartbeat: () => Promise<void>): Promise<void> {
    const { commits, partitions, settings } = this.parts;
    this.handOut.frozen = true;
    const beat = setInterval(() => {
      heartbeat().catch(() => {}); // it answers that a rebalance is under way, which is why we are here
    }, settings.heartbeatIntervalMs);
    await this.handOut.idle(settings.rebalanceDrainMs);
    await commits.flush();
    clearInterval(beat);
    for (const partition of partitions.values()) partition.ready = false;
  }

  joined(consumer: Consumer, assignment: GroupAssignment): void {
    if (this.closed) return;
    const { partitions, commits } = this.parts;
    this.epoch += 1;
    this.beginning = 0;
    this.consumer = consumer;
    this.assigned = Object.entries(assignment).flatMap(([topic, numbers]) =>
      numbers.map((partition) => ({ topic, partition })),
    );
    const ours = new Set(this.assigned.map(idOf));
    for (const partition of partitions.values()) {
      partition.ready = false;
      if (commits.byPartition || !ours.has(partition.id)) this.lose(partition);
    }
    this.flow.reset();
    this.steer(); // nothing is ready: all is paused before the first fetch
    this.handOut.frozen = false;
    if (commits.byPartition) for (const one of this.assigned) void this.begin([one], this.epoch);
    else void this.begin(this.assigned, this.epoch);
  }

  left(): void {
    this.epoch += 1;
    this.consumer = undefined;
    this.handOut.frozen = true;
    for (const partition of this.parts.partitions.values()) partition.ready = false;
  }

  failed(error: BrokerError): void {
    this.parts.out.error(error);
  }

  batch(batch: Batch, resolve: (offset: string) => void): void {
    const partition = this.parts.partitions.get(`${batch.topic}/${batch.partition}`);
    if (partition?.ready !== true || this.closed) return; // not resolved: it is fetched again
    // Not in kafkajs' types: the offset that the fetch asked for.
    const fetched = Number((batch as Batch & { readonly fetchedOffset: string }).fetchedOffset);
    if (fetched > partition.position && partition.setBackAt !== partition.position) return this.setBack(partition);
    for (const message of batch.messages) {
      const offset = Number(message.offset);
      if (offset < partition.position) continue; // read before a rejoin, and still in flight
      this.handOut.push({ partition, slot: partition.read(offset), message });
    }
    partition.readTo(Number(batch.lastOffset()) + 1);
    partition.end = Number(batch.highWatermark);
    resolve(batch.lastOffset());
    this.handOut.pump();
  }

  filtered({ topic, partition: number, first, last, end }: FilteredBatch): void {
    const partition = this.parts.partitions.get(idOf({ topic, partition: number }));
    if (partition?.ready !== true || this.closed || first === null) return;
    if (first > partition.position && partition.setBackAt !== partition.position) return this.setBack(partition);
    partition.readTo(last + 1);
    partition.end = end;
    if (partition.dirty) this.parts.commits.moved(partition);
  }

  /** Begins a partition anew where the group stands: what was in flight comes again. */
  restart(partition: Partition): void {
    if (partition.lost) return;
    this.lose(partition);
    this.steer();
    void this.begin([partition], this.epoch);
  }

  /** Room was made for more. */
  resume(): void {
    this.handOut.pump();
  }

  async drain(ms: number): Promise<DrainReport> {
    const { began, acked, released } = await this.handOut.stop(ms);
    this.steer();
    await this.parts.commits.flush();
    const settled = acked.filter(({ partition, slot }) => slot.offset < partition.committed).length;
    return { settled, released, abandoned: began - settled - released };
  }

  /** Drops everything. */
  close(): void {
    this.closed = true;
    this.left();
    for (const partition of this.parts.partitions.values()) this.lose(partition);
  }

  /** Learns where the group stands in partitions that are ours now, and opens them. */
  private async begin(some: readonly TopicPartition[], epoch: number): Promise<void> {
    const { commits, options } = this.parts;
    this.beginning += 1;
    for (let delay = 50; this.isCurrent(epoch); delay = Math.min(2 * delay, 2_000)) {
      const { consumer } = this;
      if (consumer === undefined) return;
      try {
        const starts = await commits.begin(consumer, some);
        if (!this.isCurrent(epoch)) return;
        for (const [index, one] of some.entries()) this.open(consumer, one, starts[index] ?? 0);
        this.beginning -= 1;
        this.steer();
        return this.handOut.pump();
      } catch (cause) {
        if (classify(cause) === "fatal") {
          return this.failed(new BrokerError(`${some.map(idOf).join(", ")}: ${messageOf(cause)}`, "kafka", { cause }));
        }
        options.logger.debug({ err: cause, partitions: some.map(idOf) }, "kafka partitions are begun again");
        await new Promise((resolve) => setTimeout(resolve, delay));
      }
    }
  }

  private isCurrent(epoch: number): boolean {
    return epoch === this.epoch && !this.closed;
  }

  private open(consumer: Consumer, { topic, partition: number }: TopicPartition, start: number): void {
    const { partitions } = this.parts;
    let partition = partitions.get(idOf({ topic, partition: number }));
    if (partition?.standsAt(start) !== true) {
      if (partition !== undefined) this.lose(partition);
      this.lanes += 1;
      partition = new Partition(topic, number, start, this.lanes);
      partitions.set(partition.id, partition);
    }
    partition.ready = true;
    consumer.seek({ topic, partition: number, offset: String(partition.position) });
  }

  /** A fetch brought what lies behind our position: it is older than the assignment, or what comes next is deleted, or not for us. */
  private setBack(partition: Partition): void {
    partition.ready = false;
    partition.setBackAt = partition.position;
    this.steer();
    this.findPlace(partition, this.epoch).catch((err: unknown) => {
      this.parts.options.logger.warn({ err, partition: partition.id }, "kafka partition is begun anew");
      this.restart(partition);
    });
  }

  private async findPlace(partition: Partition, epoch: number): Promise<void> {
    const { admin, options } = this.parts;
    const offsets = await admin.fetchTopicOffsets(partition.topic);
    const low = Number(offsets.find((one) => one.partition === partition.partition)?.low ?? 0);
    if (!this.isCurrent(epoch) || partition.lost) return;
    if (low > partition.position) {
      options.logger.error(
        { partition: partition.id, from: partition.position, to: low },
        "kafka: the broker deleted records before they were read",
      );
      partition.readTo(low);
    }
    partition.ready = true;
    this.consumer?.seek({
      topic: partition.topic,
      partition: partition.partition,
      offset: String(partition.position),
    });
    this.steer();
  }

  private lose(partition: Partition): void {
    if (partition.lost) return;
    this.parts.partitions.delete(partition.id);
    partition.lose();
    this.handOut.drop(partition);
    this.parts.commits.lost(partition);
  }

  /** Pauses what is not ready, and all when the credit is used up. */
  private steer(): void {
    const { consumer, handOut } = this;
    if (consumer === undefined) return;
    const { partitions } = this.parts;
    this.flow.apply(consumer, this.assigned, (one) => handOut.full || partitions.get(idOf(one))?.ready !== true);
  }
}

function idOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
