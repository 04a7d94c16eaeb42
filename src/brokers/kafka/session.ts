import type { Admin, Kafka } from "kafkajs";
import { Observable, Subject, type Subscriber } from "rxjs";
import type { BrokerSession, Delivery, DrainReport, SessionOptions } from "../../core/broker.ts";
import { StoppedError, type BrokerError } from "../../core/errors.ts";
import type { OutgoingRecord, Position } from "../../core/record.ts";
import type { Commits } from "./commits.ts";
import { Membership } from "./membership.ts";
import { OffsetCommits } from "./offset-commits.ts";
import type { KafkaSettings } from "./options.ts";
import type { Partition } from "./partition.ts";
import type { KafkaSink } from "./sink.ts";
import { KafkaSource } from "./source.ts";
import type { TopicCatalog } from "./topics.ts";
import { TransactionalCommits } from "./transactional-commits.ts";

/** What a session is made of; it closes them. */
export interface SessionParts {
  readonly settings: KafkaSettings;
  readonly options: SessionOptions;
  readonly consumers: Kafka;
  readonly transactions: Kafka;
  readonly admin: Admin;
  readonly catalog: TopicCatalog;
  readonly sink: KafkaSink;
}

/** What runs between the subscription to deliveries and its end. */
interface Reading {
  readonly source: KafkaSource;
  readonly commits: Commits;
  readonly membership: Membership;
  readonly out: Subscriber<Delivery>;
}

/** One membership in a consumer group, and the way to write. */
export class KafkaSession implements BrokerSession {
  readonly committed: Observable<Position>;
  private readonly parts: SessionParts;
  private readonly positions = new Subject<Position>();
  private readonly partitions = new Map<string, Partition>();
  private reading: Reading | undefined = undefined;
  private drained: Promise<DrainReport> | undefined = undefined;
  private leaving: Promise<void> | undefined = undefined;
  private closing: Promise<void> | undefined = undefined;

  constructor(parts: SessionParts) {
    this.parts = parts;
    this.committed = this.positions.asObservable();
  }

  deliveries(topics: readonly string[]): Observable<Delivery> {
    return new Observable((subscriber) => {
      if (this.closing !== undefined || this.reading !== undefined) {
        subscriber.error(new StoppedError("deliveries of a session are subscribed once, before close()"));
        return undefined;
      }
      this.reading = this.read(topics, subscriber);
      this.reading.membership.start();
      return () => void this.leave();
    });
  }

  async publish(outs: readonly OutgoingRecord[]): Promise<void> {
    if (this.closing !== undefined) throw new StoppedError("publish after close()");
    await this.parts.sink.send(outs, "kafka");
  }

  connected(): boolean {
    return this.reading?.source.connected ?? true;
  }

  lag(): ReadonlyMap<string, number> {
    return new Map(
      Array.from(this.partitions.values(), ({ id, end, watermark }) => [id, Math.max(0, end - watermark)]),
    );
  }

  drain(ms: number): Promise<DrainReport> {
    this.drained ??= this.drainOnce(ms);
    return this.drained;
  }

  close(): Promise<void> {
    this.closing ??= this.closeOnce();
    return this.closing;
  }

  /** The session can't go on. */
  fail(error: BrokerError): void {
    this.reading?.out.error(error);
  }

  private async drainOnce(ms: number): Promise<DrainReport> {
    const { reading } = this;
    if (reading === undefined) return { settled: 0, released: 0, abandoned: 0 };
    const report = await reading.source.drain(ms);
    reading.out.complete();
    return report;
  }

  private async closeOnce(): Promise<void> {
    const { sink, admin } = this.parts;
    await this.leave();
    this.reading?.out.complete();
    await sink.close();
    await admin.disconnect();
    this.positions.complete();
  }

  /** Lanes are lost at once; the group learns of it as fast as the broker answers. */
  private leave(): Promise<void> {
    const { reading } = this;
    if (reading === undefined) return Promise.resolve();
    this.leaving ??= (async () => {
      reading.source.close();
      await Promise.all([reading.commits.close(), reading.membership.stop()]);
    })();
    return this.leaving;
  }

  private read(topics: readonly string[], out: Subscriber<Delivery>): Reading {
    const { settings, options, admin, consumers } = this.parts;
    const { partitions } = this;
    // Each needs the other, once it runs.
    const commits = this.commits(() => source);
    const source: KafkaSource = new KafkaSource({ settings, options, admin, commits, partitions, out });
    const membership = new Membership(consumers, options.groupId, topics, settings, options.logger, source);
    return { source, commits, membership, out };
  }

  private commits(source: () => KafkaSource): Commits {
    const { options, admin, sink } = this.parts;
    const { partitions, positions } = this;
    if (options.processingGuarantee === "at_least_once") {
      return new OffsetCommits({ admin, sink, options, partitions: () => partitions.values(), committed: positions });
    }
    return new TransactionalCommits({
      ...this.parts,
      committed: positions,
      restart: (partition) => source().restart(partition),
      freed: () => source().resume(),
      failed: (error) => this.fail(error),
    });
  }
}
