import { BrokerError, PublishError, StoppedError, messageOf } from "../../core/errors.ts";
import { Fifo } from "../../core/fifo.ts";
import type { Logger } from "../../core/logger.ts";
import type { OutgoingRecord, Position } from "../../core/record.ts";
import { compressionType, kafkaClient } from "./client.ts";
import { StickyPartitions, encodeRecord } from "./encode.ts";
import { classify, rootCause } from "./kafkajs-errors.ts";
import type { KafkaSettings } from "./options.ts";
import { SinkProducer } from "./sink-producer.ts";
import { SendCall, publishError, split, takeRequest } from "./sink-queue.ts";
import type { Entry } from "./sink-queue.ts";
import type { TopicCatalog } from "./topics.ts";
import { within } from "./within.ts";

/** Waits between attempts, milliseconds. */
const MIN_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 5_000;

/** Time after which a topic that the brokers don't know is taken for gone, milliseconds. */
const UNKNOWN_TOPIC_MS = 30_000;

/** Longest attempt, milliseconds: kafkajs' retries are nested, and may go on for half an hour. */
const MAX_ATTEMPT_MS = 60_000;

/** Attempts after which an error of kafkajs' own code, which the record may not be the reason of, counts as the record's. */
const TYPE_ERROR_ATTEMPTS = 3;

/** What a sink needs. */
export interface KafkaSinkParts {
  readonly settings: KafkaSettings;
  readonly logger: Logger;
  readonly catalog: TopicCatalog;
  /** Called once, when nothing can be written any more. */
  readonly failed: (error: BrokerError) => void;
}

/** Writes records to Kafka: each at least once, those of one partition in the order of the calls. */
export class KafkaSink {
  private readonly settings: KafkaSettings;
  private readonly logger: Logger;
  private readonly catalog: TopicCatalog;
  private readonly failed: (error: BrokerError) => void;
  private readonly sticky = new StickyPartitions();
  private readonly queue = new Fifo<Entry>();
  private readonly producer: SinkProducer;
  private readonly unsettled = new Set<SendCall>();
  /** Calls that wait for a topic to be looked up: later calls wait behind them. */
  private lookingUp: Promise<void> | undefined = undefined;
  private writing = false;
  private end: Error | undefined = undefined;
  /** What the end of the sink cuts short. */
  private readonly waits = new Set<() => void>();

  constructor({ settings, logger, catalog, failed }: KafkaSinkParts) {
    this.settings = settings;
    this.logger = logger;
    this.catalog = catalog;
    this.failed = failed;
    this.producer = new SinkProducer(kafkaClient(settings, logger, "producer"), compressionType(settings), logger);
  }

  /** Errors: `ERR_BROKER` when no broker answers within `connectTimeoutMs`. */
  async connect(): Promise<void> {
    try {
      await within(this.settings.connectTimeoutMs, this.producer.connect());
    } catch (cause) {
      this.producer.replace();
      throw new BrokerError(`kafka: can't connect to ${this.settings.brokers.join(", ")}: ${reason(cause)}`, "kafka", {
        cause,
      });
    }
  }

  /**
   * Resolves when the brokers have all of `outs`. There is no bound on what waits: the caller's credit is the bound.
   *
   * **Errors:** `ERR_PUBLISH` at `position`, not retryable when one of the records is the reason (the others are written all the same), retryable when
   * `deliveryTimeoutMs` was over; `ERR_BROKER` when nothing can be written any more; `ERR_STOPPED` after `close`.
   */
  send(outs: readonly OutgoingRecord[], position: Position): Promise<void> {
    if (this.end !== undefined) return Promise.reject(this.end);
    this.catalog.refreshIfOld();
    const call = new SendCall(position, outs.length);
    if (outs.length === 0) return call.done;
    this.unsettled.add(call);
    const forget = (): boolean => this.unsettled.delete(call);
    call.done.then(forget, forget);
    const known = outs.every(({ topic }) => this.catalog.partitionsOf(topic) !== undefined);
    if (known && this.lookingUp === undefined) this.enqueue(outs, call);
    else this.enqueueLater(outs, call);
    return call.done;
  }

  /** Resolves when everything sent before is settled. */
  async flush(): Promise<void> {
    await Promise.allSettled(Array.from(this.unsettled, ({ done }) => done));
  }

  /** Waits for what was sent, at most `requestTimeoutMs`, rejects the rest, and disconnects. May be called twice. */
  async close(): Promise<void> {
    await within(this.settings.requestTimeoutMs, this.flush()).catch(() => {}); // what is left is rejected below
    this.stop(new StoppedError("kafka: the session was closed before the record was written"));
    await within(this.settings.requestTimeoutMs, this.producer.close()).catch(() => {}); // it goes with the process
  }

  private enqueue(outs: readonly OutgoingRecord[], call: SendCall): void {
    const expires = performance.now() + this.settings.deliveryTimeoutMs;
    for (const out of outs) {
      try {
        this.queue.push({ encoded: encodeRecord(out, this.catalog, this.sticky, call.position), call, expires });
      } catch (cause) {
        call.settle(
          cause instanceof PublishError
            ? cause
            : new PublishError(`kafka: can't encode: ${messageOf(cause)}`, call.position, { cause, retryable: false }),
        );
      }
    }
    if (!this.writing && this.queue.size > 0) void this.writeAll();
  }

  private enqueueLater(outs: readonly OutgoingRecord[], call: SendCall): void {
    const before = this.lookingUp;
    const lookUp = async (): Promise<void> => {
      await before;
      await this.lookUp(new Set(outs.map(({ topic }) => topic)));
      if (this.lookingUp === mine) this.lookingUp = undefined;
      if (this.end === undefined) this.enqueue(outs, call);
      else for (const _ of outs) call.settle(this.end);
    };
    const mine = lookUp();
    this.lookingUp = mine;
  }

  /** Asks until there is an answer. What does not exist then fails when it is encoded. */
  private async lookUp(topics: ReadonlySet<string>): Promise<void> {
    for (const topic of topics) {
      for (let attempt = 0; this.end === undefined; attempt += 1) {
        try {
          await this.catalog.lookUp(topic);
          break;
        } catch (cause) {
          if (classify(cause) === "fatal") return this.fail(cause);
          this.logger.warn({ topic, error: reason(cause) }, "kafka topic can't be looked up: tried again");
          await this.pause(attempt);
        }
      }
    }
  }

  /** One request after the other: what arrives while one flies is the next. */
  private async writeAll(): Promise<void> {
    this.writing = true;
    // Records of the same turn go together.
    await Promise.resolve();
    while (this.queue.size > 0 && this.end === undefined) {
      const batch = takeRequest(this.queue, this.catalog);
      this.sticky.nextBatch();
      await this.write(batch);
    }
    this.writing = false;
  }

  /** Tries until each record is settled: written, or rejected. */
  private async write(entries: readonly Entry[]): Promise<void> {
    let batch = entries;
    const began = performance.now();
    for (let attempt = 0; batch.length > 0; attempt += 1) {
      try {
        await this.attempt(batch);
        for (const { call } of batch) call.settle();
        return;
      } catch (cause) {
        this.producer.replace();
        if (this.end !== undefined) return settleAll(batch, this.end);
        const { type, name } = rootCause(cause);
        const kind = classify(cause);
        const gone = type === "UNKNOWN_TOPIC_OR_PARTITION" && performance.now() - began > UNKNOWN_TOPIC_MS;
        if (kind === "fatal" || gone) {
          this.fail(cause);
          return settleAll(batch, this.end ?? new StoppedError("kafka: the sink has ended"));
        }
        if (kind === "poison" && batch.length > 1) return this.writeParts(batch);
        if (kind === "poison" && (name !== "TypeError" || attempt + 1 >= TYPE_ERROR_ATTEMPTS)) {
          return rejectAll(batch, `was refused: ${reason(cause)}`, false, cause);
        }
        this.logger.warn(
          { error: reason(cause), type, name, attempt: attempt + 1, records: batch.length },
          "kafka write failed: tried again",
        );
        await this.pause(kind === "reinit" && attempt === 0 ? -1 : attempt);
        batch = dropExpired(batch, cause);
      }
    }
  }

  private async writeParts(batch: readonly Entry[]): Promise<void> {
    for (const part of split(batch)) {
      if (this.end === undefined) await this.write(part);
      else settleAll(part, this.end);
    }
  }

  private async attempt(batch: readonly Entry[]): Promise<void> {
    const left = Math.min(...batch.map(({ expires }) => expires)) - performance.now();
    const write = this.producer.write(batch.map(({ encoded }) => encoded));
    await new Promise<void>((resolve, reject) => {
      const cut = (): void => reject(new Error("the sink has ended"));
      this.waits.add(cut);
      within(Math.max(1, Math.min(left, MAX_ATTEMPT_MS)), write)
        .then(resolve, reject)
        .finally(() => this.waits.delete(cut));
    });
  }

  private fail(cause: unknown): void {
    if (this.end !== undefined) return;
    const error = new BrokerError(`kafka: nothing can be written any more: ${reason(cause)}`, "kafka", { cause });
    this.stop(error);
    this.failed(error);
  }

  private stop(end: Error): void {
    if (this.end !== undefined) return;
    this.end = end;
    settleAll(this.queue.clear(), end);
    for (const cut of this.waits) cut();
  }

  /** A wait with jitter that the end of the sink cuts short. @param attempt -1: no wait */
  private async pause(attempt: number): Promise<void> {
    if (attempt < 0 || this.end !== undefined) return;
    const ms = Math.min(MIN_BACKOFF_MS * 2 ** attempt, MAX_BACKOFF_MS) * (0.8 + 0.4 * Math.random());
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.waits.delete(end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      this.waits.add(end);
    });
  }
}

function settleAll(batch: readonly Entry[], error: Error): void {
  for (const { call } of batch) call.settle(error);
}

function rejectAll(batch: readonly Entry[], why: string, retryable: boolean, cause: unknown): void {
  for (const entry of batch) entry.call.settle(publishError(entry, why, retryable, cause));
}

/** Gives up what is too old; the rest, in order. */
function dropExpired(batch: readonly Entry[], cause: unknown): readonly Entry[] {
  const now = performance.now();
  const expired = batch.filter(({ expires }) => expires <= now);
  if (expired.length === 0) return batch;
  rejectAll(expired, `could not be written in time: ${reason(cause)}`, true, cause);
  return batch.filter(({ expires }) => expires > now);
}

function reason(cause: unknown): string {
  const { type, message } = rootCause(cause);
  return type === undefined ? message : `${message} (${type})`;
}
