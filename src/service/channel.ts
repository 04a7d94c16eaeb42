import { asyncScheduler, firstValueFrom, from, race, timer, type Subscription } from "rxjs";
import type { Broker, BrokerSession, Delivery } from "../core/broker.ts";
import { BrokerError, messageOf } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import type { OutgoingRecord } from "../core/record.ts";

export interface ChannelOptions {
  /** What requests call it. */
  readonly name: string;
  readonly broker: Broker;
  readonly groupId: string;
  /** Topics that are written only. */
  readonly writes: readonly string[];
  /** Topics that are read, from now on. */
  readonly reads: readonly string[];
  readonly publishTimeoutMs: number;
  readonly logger: Logger;
  /** Called with what is read; must not throw. */
  readonly received: (delivery: Delivery) => void;
}

/** First and longest wait before a lost session is opened again, milliseconds. */
const minDelayMs = 500;
const maxDelayMs = 10_000;

/** Longest wait for a broker to be left, milliseconds. */
const closeMs = 3_000;

/** The way to one broker and back: writes requests, reads answers, and opens its session again whenever it is lost. */
export class Channel {
  readonly name: string;
  private readonly options: ChannelOptions;
  private session: BrokerSession | undefined = undefined;
  private reading: Subscription | undefined = undefined;
  private failure: unknown = new Error("it is being opened");
  /** Whether answers were read in this session, so that none is missed. */
  private heard = false;
  private losses = 0;
  private timer: Subscription | undefined = undefined;
  private opening: Promise<void> | undefined = undefined;
  private closed = false;

  constructor(options: ChannelOptions) {
    this.options = options;
    this.name = options.name;
  }

  /** Name of the driver. */
  get system(): string {
    return this.options.broker.name;
  }

  /** Why it is not usable now; undefined while it is. */
  get problem(): string | undefined {
    if (this.session === undefined) return messageOf(this.failure);
    if (this.session.connected?.() === false) return "the connection is lost and being restored";
    this.heard ||= this.unread(this.session) === undefined;
    return this.heard ? undefined : this.unread(this.session);
  }

  /** Why answers would be missed: a group that is new begins at the end of a partition, and only when it has got it. */
  private unread(session: BrokerSession): string | undefined {
    const { reads, groupId } = this.options;
    const held = session.lag === undefined ? undefined : [...session.lag().keys()];
    const missing = held && reads.find((topic) => !held.some((id) => id.startsWith(`${topic}/`)));
    return missing && `group ${groupId} has given it no partition of ${missing} yet`;
  }

  /** Begins to open it; the answer comes through `problem`. */
  open(): void {
    this.opening = this.tryToOpen();
  }

  /**
   * Writes a record; resolves when the broker has it.
   *
   * Errors: `ERR_BROKER` while the broker is away, or does not confirm in time (it may still get the record then); `ERR_PUBLISH` when it refuses the record.
   */
  async publish(record: OutgoingRecord): Promise<void> {
    const { session, options } = this;
    if (session === undefined || this.problem !== undefined) {
      throw new BrokerError(`${this.name} can't be reached: ${this.problem ?? "no session"}`, this.name);
    }
    let waiting: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const error = new BrokerError(`${this.name} did not confirm within ${options.publishTimeoutMs} ms`, this.name);
      waiting = setTimeout(() => reject(error), options.publishTimeoutMs);
    });
    try {
      await Promise.race([session.publish([record]), late]);
    } finally {
      clearTimeout(waiting);
    }
  }

  /** Leaves the broker; one that does not answer keeps nobody waiting. */
  async close(): Promise<void> {
    this.closed = true;
    this.timer?.unsubscribe();
    const left = Promise.all([this.leave(), this.opening]); // a session that opens later closes itself
    await firstValueFrom(race(from(left), timer(closeMs)));
  }

  private async tryToOpen(): Promise<void> {
    const { broker, groupId, writes, reads, logger } = this.options;
    try {
      const session = await broker.open({
        groupId,
        maxInFlight: broker.defaultMaxInFlight,
        processingGuarantee: "at_least_once",
        commitIntervalMs: 1_000,
        autoOffsetReset: Object.fromEntries(reads.map((topic) => [topic, "latest" as const])),
        topics: [...writes, ...reads],
        reads,
        scheduler: asyncScheduler,
        logger,
      });
      if (this.closed) return await session.close();
      this.session = session;
      this.heard = false;
      this.losses = 0;
      this.reading = session.deliveries(reads).subscribe({
        next: (delivery) => {
          this.options.received(delivery);
          delivery.ack();
        },
        error: (cause: unknown) => void this.lost(cause),
      });
      logger.info({ broker: this.name }, `trigger is connected to ${this.name}`);
    } catch (cause) {
      this.failure = cause;
      this.again();
    }
  }

  private async lost(cause: unknown): Promise<void> {
    this.failure = cause;
    await this.leave();
    this.again();
  }

  private async leave(): Promise<void> {
    const { session } = this;
    this.session = undefined;
    this.reading?.unsubscribe();
    await session?.close().catch((err: unknown) => this.options.logger.debug({ err }, `${this.name} was closed badly`));
  }

  private again(): void {
    if (this.closed) return;
    const delay = Math.min(minDelayMs * 2 ** this.losses, maxDelayMs);
    this.losses += 1;
    this.options.logger.warn(
      { err: this.failure, broker: this.name, delayMs: delay },
      `trigger has no connection to ${this.name}: ${messageOf(this.failure)}`,
    );
    this.timer = asyncScheduler.schedule(() => this.open(), delay);
  }
}
