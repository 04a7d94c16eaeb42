import type { Observable, SchedulerLike } from "rxjs";
import type { Logger } from "./logger.ts";
import type { Origin, OutgoingRecord, Position, RawRecord } from "./record.ts";

/**
 * What order and ownership hang on: one partition in one assignment epoch, or one ordering key.
 *
 * `signal` aborts when the lane is lost (a rebalance, a crash): what is queued of it is dropped, late results are ignored,
 * and the broker gives its unsettled records to whoever owns them next.
 */
export interface Lane {
  readonly id: string;
  readonly signal: AbortSignal;
}

/** One message handed out by a source, with the duty to settle it exactly once: `ack` or `nack`. Later calls do nothing. */
export interface Delivery {
  readonly record: RawRecord;
  readonly position: Position;
  /** Topic and position without the record: what the records made from it keep, and results for longer than it lives. */
  readonly origin: Origin;
  /** 1 for the first time, as far as the broker knows. */
  readonly attempt: number;
  /** Absent: this delivery has no order to keep with any other. */
  readonly lane?: Lane;
  /**
   * Writes results of this delivery, in the given order, and after those of earlier calls.
   *
   * `undefined`: accepted already. A promise: resolves when accepted. *Accepted* means, at least once: the broker has it;
   * exactly once: the outbox has it, checked, and it becomes visible in one transaction with the ack.
   *
   * Errors: `ERR_PUBLISH`, `retryable: false` when the record itself is the reason; `ERR_BROKER`.
   */
  publish(outs: readonly OutgoingRecord[]): Promise<void> | undefined;
  /** Everything that descends from this delivery is done. */
  ack(): void;
  /** Gives it back undone: the broker delivers it again, after a backoff. */
  nack(cause: unknown): void;
}

export type ProcessingGuarantee = "at_least_once" | "exactly_once";

/** Where a group without a committed offset begins. */
export type AutoOffsetReset = "earliest" | "latest";

/** What a broker can do; checked against what an app asks when the app is built. */
export interface BrokerCapabilities {
  /** Outputs and offsets in one transaction. */
  readonly exactlyOnce: boolean;
  /** Topics have partitions, and records have a place in them. */
  readonly partitions: boolean;
  /** Records of one key arrive in the order in which they were written. */
  readonly keyOrder: boolean;
  /** A group may begin at records that were written before it existed. */
  readonly replay: boolean;
  /** Largest record it takes: key, value and headers together, bytes. */
  readonly maxRecordBytes: number;
}

export interface SessionOptions {
  /** Consumers with the same id share the records of a topic. */
  readonly groupId: string;
  /** Most unsettled deliveries out at a time. Minimum 1. */
  readonly maxInFlight: number;
  readonly processingGuarantee: ProcessingGuarantee;
  /** Time between commits where a broker batches them, milliseconds. */
  readonly commitIntervalMs: number;
  /** Per topic; `earliest` for a topic that is not named. */
  readonly autoOffsetReset: Readonly<Record<string, AutoOffsetReset>>;
  /** Topics that will be read or written; the driver checks that they exist and names those that don't. */
  readonly topics: readonly string[];
  /**
   * Those of `topics` that will be read. A driver that can't replay sees to it that nothing is missed that is written from now on.
   * @default none is known yet
   */
  readonly reads?: readonly string[];
  /** Source of time for backoffs and intervals: real in production, virtual in tests. */
  readonly scheduler: SchedulerLike;
  readonly logger: Logger;
}

/** Account of a drain, in deliveries that were unsettled when it began. */
export interface DrainReport {
  /** Acked and committed. */
  readonly settled: number;
  /** Given back undone; the broker delivers them again. */
  readonly released: number;
  /** Still being worked on when the time was over, or acked and not committed: behind one that is not done. The broker delivers them again. */
  readonly abandoned: number;
}

/** One membership in a consumer group, and the way to write. */
export interface BrokerSession {
  /**
   * The records of these topics, one delivery each, in order within a lane. Cold: reading begins with the subscription, one
   * subscription per session. Never more than `maxInFlight` unsettled. Unsubscribing drops what is unsettled: the broker delivers it again.
   *
   * Errors (the Observable's): `ERR_BROKER` when the session can't go on.
   */
  deliveries(topics: readonly string[]): Observable<Delivery>;
  /** Writes records that no delivery of this session caused. Resolves when the broker has them all. */
  publish(outs: readonly OutgoingRecord[]): Promise<void>;
  /** Each position up to which (inclusive) a lane is durably done. Hot. */
  readonly committed: Observable<Position>;
  /**
   * Records behind the group's progress in each partition that this session holds, by `topic/partition`, as of the last fetch.
   * Absent where a broker has no offsets.
   */
  lag?(): ReadonlyMap<string, number>;
  /** False while the session has lost its broker and tries to get it back by itself. Absent where that can't happen. */
  connected?(): boolean;
  /** Hands out nothing more, waits up to `ms` milliseconds for what is out, commits, and reports. The Observable of deliveries completes. */
  drain(ms: number): Promise<DrainReport>;
  /** Leaves the group and frees everything. May be called twice. What is unsettled is delivered again to another session. */
  close(): Promise<void>;
}

/** A driver: a value that is passed to an app, and shares nothing between two `open` calls except the broker itself. */
export interface Broker {
  /** The first part of its positions: `kafka`, `pubsub`, `memory`. */
  readonly name: string;
  readonly capabilities: BrokerCapabilities;
  /** Most unsettled deliveries when an app does not say. */
  readonly defaultMaxInFlight: number;
  /** Errors: `ERR_BROKER` when it can't be reached, `ERR_CONFIG` when topics are missing. */
  open(options: SessionOptions): Promise<BrokerSession>;
}
