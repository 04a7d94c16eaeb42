import type { Delivery } from "../core/broker.ts";
import { messageOf, StoppedError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import type { Header } from "../core/record.ts";
import { Channel } from "./channel.ts";
import type { TriggerSettings } from "./options.ts";
import { Problem } from "./problems.ts";
import { problemOf, type Run, type RunRequest } from "./run.ts";
import { Runs } from "./runs.ts";
import { receiving, sending } from "./tracing.ts";
import { readDeadLetter, readResult, requestRecord, whyUnreadable } from "./wire.ts";

/** Where runs are started and their answers come in. What the routes share. */
export class Desk {
  readonly settings: TriggerSettings;
  readonly runs: Runs;
  private readonly channels: ReadonlyMap<string, Channel>;
  private readonly logger: Logger;
  private closing = false;

  constructor(settings: TriggerSettings, logger: Logger) {
    this.settings = settings;
    this.logger = logger;
    this.runs = new Runs(settings.keepRuns, Date.now);
    const { topics, groupId, publishTimeoutMs } = settings;
    this.channels = new Map(
      Array.from(settings.brokers, ([name, broker]) => [
        name,
        new Channel({
          name,
          broker,
          groupId,
          publishTimeoutMs,
          writes: [topics.input],
          reads: [topics.output, topics.deadLetters],
          logger,
          received: (delivery) => receiving(broker.name, groupId, delivery, () => this.receive(name, delivery)),
        }),
      ]),
    );
  }

  /** Names of the brokers. */
  get brokers(): readonly string[] {
    return [...this.channels.keys()];
  }

  /** Why a broker is not usable now, by name; undefined for one that is. */
  get problems(): ReadonlyMap<string, string | undefined> {
    return new Map(Array.from(this.channels, ([name, channel]) => [name, channel.problem]));
  }

  open(): void {
    for (const channel of this.channels.values()) channel.open();
  }

  /** Takes no more runs, and lets go whoever waits for one. */
  stop(): void {
    this.closing = true;
    this.runs.close();
  }

  async close(): Promise<void> {
    this.stop();
    await Promise.all(Array.from(this.channels.values(), (channel) => channel.close()));
  }

  /**
   * Publishes a request. The run is remembered although the broker may be away: then it is `failed`.
   *
   * Errors: a `Problem` for a broker that is not served or a range beyond the images; what `Channel.publish` throws.
   */
  async start(broker: string | undefined, request: RunRequest, headers: readonly Header[] = []): Promise<Run> {
    const { defaultBroker, topics } = this.settings;
    const channel = this.channelOf(broker ?? defaultBroker);
    this.checkRange(request);
    if (this.closing) throw new StoppedError("the service is closing");
    const run = this.runs.begin(channel.name, request);
    try {
      const record = requestRecord(topics.input, run.id, request, headers);
      await sending(channel.system, record, (traced) => channel.publish(traced));
    } catch (cause) {
      this.runs.failed(run, problemOf(cause));
      throw cause;
    }
    return run;
  }

  private channelOf(name: string): Channel {
    const channel = this.channels.get(name);
    if (channel !== undefined) return channel;
    const message = `${JSON.stringify(name.slice(0, 100))} is not served here; there are: ${this.brokers.join(", ")}`;
    throw new Problem(400, "No such broker", `broker: ${message}`, { more: { errors: [{ at: "broker", message }] } });
  }

  private checkRange({ pixels, start, end }: RunRequest): void {
    const { images } = this.settings;
    if (pixels !== undefined || (start < end && end <= images)) return;
    const detail = `range [${start}, ${end}): expected 0 <= start_idx < end_idx <= ${images}`;
    throw new Problem(400, "The request is not valid", detail, {
      more: { errors: [{ at: "end_idx", message: `must be above start_idx, and at most ${images}` }] },
    });
  }

  private receive(broker: string, delivery: Delivery): void {
    const { topic } = delivery.record;
    try {
      if (topic === this.settings.topics.deadLetters) {
        this.runs.deadLetter(readDeadLetter(broker, delivery));
        return;
      }
      const { run, slice } = readResult(delivery);
      const [end, { images }] = [slice.start + slice.predictions.length, this.settings];
      if (end > images) throw new RangeError(`it ends at image ${end}, and there are ${images}`);
      this.runs.result(broker, run, slice);
    } catch (cause) {
      this.logger.warn(
        { err: messageOf(cause), position: delivery.position },
        `a record of ${topic} is no result: ${whyUnreadable(cause)}`,
      );
    }
  }
}
