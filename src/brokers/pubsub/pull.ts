import { Duration, type Message, type PubSub, type Subscription, type SubscriptionOptions } from "@google-cloud/pubsub";
import type { SchedulerLike, Subscription as Timer } from "rxjs";
import { BrokerError, StreamsError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { isEmulator } from "./client.ts";
import type { PubSubSettings } from "./options.ts";
import { isDenied, isMissing, reasonOf } from "./status.ts";

export interface PullOptions {
  readonly client: PubSub;
  /** The subscription's name. */
  readonly name: string;
  readonly settings: PubSubSettings;
  readonly maxInFlight: number;
  readonly scheduler: SchedulerLike;
  readonly logger: Logger;
  /** Creates topic and subscription where they are missing, or says that they are. */
  readonly provide: () => Promise<void>;
  readonly message: (message: Message) => void;
  /** The stream is lost, and with it the leases of all messages that came so far; `deleted`: the subscription as well. */
  readonly lost: (deleted: boolean) => void;
  /** It can't go on. */
  readonly failed: (error: StreamsError) => void;
}

/** The streams of one subscription, opened again whenever they are lost. */
export class Pull {
  private readonly options: PullOptions;
  private current: Subscription | undefined = undefined;
  private closing: Promise<void> | undefined = undefined;
  private losses = 0;
  private timer: Timer | undefined = undefined;

  constructor(options: PullOptions) {
    this.options = options;
  }

  /** False while the streams are lost, and before they are opened. */
  get connected(): boolean {
    return this.current !== undefined;
  }

  /** Errors come through `failed`. */
  start(): void {
    this.options.provide().then(
      () => this.open(),
      (error: unknown) => this.refused(error),
    );
  }

  /** Sends what was acked and given back, and ends the streams. */
  stop(): Promise<void> {
    this.timer?.unsubscribe();
    this.closing ??= this.end();
    return this.closing;
  }

  private async end(): Promise<void> {
    try {
      await this.current?.close();
    } catch (error) {
      this.options.logger.debug({ error: reasonOf(error) }, `subscription ${this.options.name} was closed badly`);
    }
  }

  private open(): void {
    if (this.closing !== undefined) return;
    const { client, name, message, logger } = this.options;
    const subscription = client.subscription(name, subscriptionOptions(this.options));
    this.current = subscription;
    let reason: unknown;
    // Before "message", which opens the streams: an error without a listener ends the process.
    subscription.on("error", (error) => {
      reason = error;
      logger.warn({ error: reasonOf(error) }, `subscription ${name} reports an error`);
      if (this.closing === undefined && isDenied(error)) this.fail(error);
    });
    subscription.on("close", () => this.reopen(subscription, reason));
    subscription.on("message", (received) => {
      if (this.current !== subscription) return;
      this.losses = 0;
      message(received);
    });
  }

  private reopen(subscription: Subscription, reason: unknown): void {
    if (this.closing !== undefined || this.current !== subscription) return;
    this.current = undefined;
    this.options.lost(isMissing(reason));
    if (isMissing(reason) && !this.options.settings.createTopics) {
      this.fail(reason);
      return;
    }
    this.again();
  }

  private again(): void {
    const { scheduler, name, logger } = this.options;
    // From a quarter of a second to five seconds, spread so that processes don't come back together.
    const wait = Math.min(250 * 2 ** this.losses, 5_000) * (0.75 + Math.random() / 2);
    this.losses += 1;
    logger.warn({ waitMs: Math.round(wait) }, `the stream of subscription ${name} is lost; it is opened again`);
    this.timer = scheduler.schedule(() => this.start(), wait);
  }

  private refused(error: unknown): void {
    if (this.closing !== undefined) return;
    // After a loss the service may be away for longer than one question waits.
    if (this.losses > 0 && error instanceof BrokerError && !isDenied(error)) this.again();
    else this.fail(error);
  }

  private fail(error: unknown): void {
    const { failed, name } = this.options;
    if (error instanceof StreamsError) failed(error);
    else failed(new BrokerError(`pubsub: subscription ${name} failed: ${reasonOf(error)}`, "pubsub", { cause: error }));
  }
}

/** Longest time that `close` gives acks on their way, and nacks after them, milliseconds; the client keeps 1,000 of it for the nacks. */
const closeTimeoutMs = 1_500;

function subscriptionOptions({ client, settings, maxInFlight }: PullOptions): SubscriptionOptions {
  const seconds = settings.maxExtensionMs / 1_000;
  return {
    // Without `allowExcessMessages: false`, maxMessages is a hint.
    flowControl: { maxMessages: maxInFlight, maxBytes: settings.maxInFlightBytes, allowExcessMessages: false },
    // The client frees a place when a batch of acks has left: at its default of 100 ms small credits starve.
    batching: { maxMilliseconds: 5, maxMessages: 1_000 },
    // The emulator polls each stream every 50 ms for at most a hundred messages.
    streamingOptions: { maxStreams: isEmulator(client) ? 5 : Math.min(5, Math.ceil(maxInFlight / 100)) },
    maxExtensionTime: Duration.from({ seconds }),
    minAckDeadline: Duration.from({ seconds: 10 }),
    maxAckDeadline: Duration.from({ seconds: 60 }),
    // By default closing gives back what was acked a moment ago and is done.
    closeOptions: { behavior: "WAIT", timeout: Duration.from({ millis: closeTimeoutMs }) },
  };
}
