import type { Batch, Consumer, Kafka } from "kafkajs";
import type { Logger } from "../../core/logger.ts";
import { BrokerError, messageOf } from "../../core/errors.ts";
import { consumerRetry } from "./client.ts";
import { classify, rootCause } from "./kafkajs-errors.ts";
import { onRejoin } from "./kafkajs-fixes.ts";
import type { KafkaSettings } from "./options.ts";
import { within } from "./within.ts";

/** Partitions by topic. */
export type GroupAssignment = Readonly<Record<string, readonly number[]>>;

/** Records that are not handed out; offsets inclusive. `first` is null when compaction has left none. */
export interface FilteredBatch {
  readonly topic: string;
  readonly partition: number;
  readonly first: number | null;
  readonly last: number;
  /** Offset after the last record of the log. */
  readonly end: number;
}

/** What happens to a member of a group. All are called synchronously. */
export interface MembershipEvents {
  /** Before a rejoin, on the old generation: the last chance to finish and commit. The rejoin waits for it. */
  rejoining(heartbeat: () => Promise<void>): Promise<void>;
  /** Partitions were assigned; nothing is fetched before this returns. */
  joined(consumer: Consumer, assignment: GroupAssignment): void;
  /** The connection to the group is gone; what was assigned may be so again. */
  left(): void;
  /** Never throws, never waits. */
  batch(batch: Batch, resolve: (offset: string) => void): void;
  /** A fetch brought nothing but records that are for brokers, or were aborted; kafkajs goes on behind them. */
  filtered(batch: FilteredBatch): void;
  /** No restart can mend it. */
  failed(error: BrokerError): void;
}

/**
 * Keeps one kafkajs consumer in the group: makes a new one when it crashes, can't connect, or falls silent.
 *
 * kafkajs' own restart is off: it leaves consumers dead or running behind our back (issue 1593 of kafkajs).
 */
export class Membership {
  private readonly kafka: Kafka;
  private readonly groupId: string;
  private readonly topics: readonly string[];
  private readonly settings: KafkaSettings;
  private readonly logger: Logger;
  private readonly events: MembershipEvents;
  private stopped = false;
  private end: (cause: unknown) => void = () => {};
  private running: Promise<void> | undefined = undefined;
  private lastSign = 0;

  constructor(
    kafka: Kafka,
    groupId: string,
    topics: readonly string[],
    settings: KafkaSettings,
    logger: Logger,
    events: MembershipEvents,
  ) {
    this.kafka = kafka;
    this.groupId = groupId;
    this.topics = topics;
    this.settings = settings;
    this.logger = logger;
    this.events = events;
  }

  start(): void {
    this.running ??= this.supervise();
  }

  /** Leaves the group. Resolves when the consumer is gone. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.end(undefined);
    await this.running;
  }

  private async supervise(): Promise<void> {
    for (let failures = 0; !this.stopped; failures += 1) {
      const began = Date.now();
      const consumer = this.consumer();
      const cause = await this.live(consumer);
      const gone = this.leave(consumer);
      if (this.stopped) return gone;
      this.events.left();
      if (isFatal(cause)) {
        this.events.failed(
          new BrokerError(`consumer of group ${this.groupId} can't go on: ${messageOf(cause)}`, "kafka", { cause }),
        );
        return gone;
      }
      if (Date.now() - began > 60_000) failures = 0;
      const delay = Math.min(250 * 2 ** failures, 5_000) * (0.8 + 0.4 * Math.random());
      this.logger.warn({ err: cause, groupId: this.groupId, delayMs: Math.round(delay) }, "kafka consumer is replaced");
      await this.pause(delay);
    }
  }

  /** Runs a consumer until it ends; gives the reason. */
  private async live(consumer: Consumer): Promise<unknown> {
    const ended = new Promise<unknown>((resolve) => (this.end = resolve));
    this.watch(consumer);
    const watchdog = setInterval(() => this.checkSigns(), this.settings.sessionTimeoutMs);
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [...this.topics], fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: 1,
        // Must be a promise for kafkajs; it never waits.
        eachBatch: (payload) =>
          Promise.resolve(this.events.batch(payload.batch, (offset) => payload.resolveOffset(offset))),
      });
      return await ended;
    } catch (cause) {
      return cause;
    } finally {
      clearInterval(watchdog);
    }
  }

  private consumer(): Consumer {
    const { sessionTimeoutMs, rebalanceTimeoutMs, heartbeatIntervalMs, maxWaitMs, maxBytesPerPartition } =
      this.settings;
    const hooked = onRejoin((heartbeat) => this.events.rejoining(heartbeat));
    return this.kafka.consumer({
      groupId: this.groupId,
      partitionAssigners: hooked,
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: rebalanceTimeoutMs,
      heartbeatInterval: heartbeatIntervalMs,
      maxWaitTimeInMs: maxWaitMs,
      maxBytesPerPartition,
      minBytes: 1,
      allowAutoTopicCreation: false,
      retry: consumerRetry,
    });
  }

  private watch(consumer: Consumer): void {
    const { GROUP_JOIN, HEARTBEAT, FETCH, START_BATCH_PROCESS, CRASH } = consumer.events;
    const sign = (): void => {
      this.lastSign = performance.now();
    };
    sign();
    consumer.on(HEARTBEAT, sign);
    consumer.on(FETCH, sign);
    consumer.on(GROUP_JOIN, ({ payload }) => {
      sign();
      this.logger.info(
        { groupId: this.groupId, assignment: payload.memberAssignment },
        "kafka partitions are assigned",
      );
      if (!this.stopped) this.events.joined(consumer, payload.memberAssignment);
    });
    consumer.on(START_BATCH_PROCESS, ({ payload }) => {
      if (payload.batchSize > 0 || this.stopped) return;
      const { topic, partition, firstOffset, lastOffset, highWatermark } = payload;
      // Null is not in kafkajs' types.
      const first = firstOffset as string | null;
      this.events.filtered({
        topic,
        partition,
        first: first === null ? null : Number(first),
        last: Number(lastOffset),
        end: Number(highWatermark),
      });
    });
    consumer.on(CRASH, ({ payload }) => this.end(payload.error));
  }

  private checkSigns(): void {
    const silentMs = performance.now() - this.lastSign;
    if (silentMs < 3 * this.settings.sessionTimeoutMs) return;
    this.end(new Error(`no heartbeat and no fetch for ${Math.round(silentMs)} ms`));
  }

  /** A broker that does not answer must not hold up the end. */
  private async leave(consumer: Consumer): Promise<void> {
    await within(this.settings.requestTimeoutMs, consumer.disconnect()).catch((err: unknown) =>
      this.logger.debug({ err }, "kafka consumer could not leave its group"),
    );
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.end = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Configuration and rights don't mend themselves; all else may. */
function isFatal(cause: unknown): boolean {
  const { name } = rootCause(cause);
  return classify(cause) === "fatal" && name !== "KafkaJSNumberOfRetriesExceeded";
}
