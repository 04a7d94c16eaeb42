import type { PubSub, Topic } from "@google-cloud/pubsub";
import type { SchedulerLike } from "rxjs";
import { BrokerError, PublishError, StoppedError, StreamsError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { topicName, type PubSubSettings } from "./options.ts";
import type { Outgoing } from "./outgoing.ts";
import { isDenied, isMissing, isTransient, reasonOf } from "./status.ts";

export interface PublisherOptions {
  readonly client: PubSub;
  readonly settings: PubSubSettings;
  readonly scheduler: SchedulerLike;
  readonly logger: Logger;
  /** Creates the topic, with what this session reads of it. */
  readonly provide: (topic: string) => Promise<void>;
}

/** Messages of one ordering key that are on their way, oldest first; after an error they go again from the failed one on. */
interface KeyLine {
  pending: Outgoing[];
  /** Answers that are still to come. */
  awaited: number;
  error: unknown;
  /** They are sent one by one, after an error. */
  alone: boolean;
}

const retryBaseMs = 100;
const retryMaxMs = 5_000;

/** Publishes to one topic in batches; what fails for a while is sent again, what is refused is singled out. */
export class TopicPublisher {
  private readonly options: PublisherOptions;
  private readonly logical: string;
  private readonly topic: Topic;
  /** For messages whose batch was refused: one of them is the reason. */
  private readonly single: Topic;
  private readonly lines = new Map<string, KeyLine>();
  private stopped = false;

  constructor(logical: string, options: PublisherOptions) {
    this.options = options;
    this.logical = logical;
    const name = topicName(options.settings, logical);
    const { ordering } = options.settings;
    // Short: a batch is what comes in one go, and a record waits for its answer.
    const batching = { maxMessages: 1_000, maxBytes: 1_000_000, maxMilliseconds: 2 };
    this.topic = options.client.topic(name, { batching, messageOrdering: ordering });
    this.single = options.client.topic(name, { batching: { ...batching, maxMessages: 1 } });
  }

  send(out: Outgoing): void {
    const { orderingKey } = out.message;
    if (orderingKey === undefined) this.sendUnordered(out, this.topic, 0);
    else this.sendOrdered(out, orderingKey);
  }

  /** Gives up what waits to be sent again. */
  stop(): void {
    this.stopped = true;
  }

  private sendUnordered(out: Outgoing, topic: Topic, failures: number): void {
    this.publish(topic, out).then(
      () => out.finish(),
      (error: unknown) => {
        const refusedAlone = topic === this.single || isTransient(error) || isMissing(error) || isDenied(error);
        if (!refusedAlone) this.sendUnordered(out, this.single, failures);
        else
          this.afterFailure(error, out, failures, (final) => {
            if (final === undefined) this.sendUnordered(out, topic, failures + 1);
            else out.finish(final);
          });
      },
    );
  }

  private sendOrdered(out: Outgoing, key: string): void {
    let line = this.lines.get(key);
    if (line === undefined) {
      line = { pending: [], awaited: 0, error: undefined, alone: false };
      this.lines.set(key, line);
    }
    line.pending.push(out);
    if (line.error === undefined && !line.alone) this.sendInLine(out, line, key, 0);
  }

  private sendInLine(out: Outgoing, line: KeyLine, key: string, failures: number): void {
    line.awaited += 1;
    this.publish(this.topic, out).then(
      () => {
        line.awaited -= 1;
        this.leave(out, line);
        this.answered(line, key, 0);
      },
      (error: unknown) => {
        line.awaited -= 1;
        // The first is the reason; the client fails all behind it with the same.
        line.error ??= error;
        this.answered(line, key, failures);
      },
    );
  }

  private leave(out: Outgoing, line: KeyLine, error?: Error): void {
    const index = line.pending.indexOf(out);
    if (index !== -1) line.pending.splice(index, 1);
    out.finish(error);
  }

  /** When the last answer of a line is in: after an error the first goes on alone, else all go on. */
  private answered(line: KeyLine, key: string, failures: number): void {
    if (line.awaited > 0) return;
    const [first] = line.pending;
    if (first === undefined) {
      if (this.lines.get(key) === line) this.lines.delete(key);
      return;
    }
    if (line.error === undefined) {
      // The failed one is through: all that gathered behind it go together again.
      line.alone = false;
      for (const out of [...line.pending]) this.sendInLine(out, line, key, 0);
      return;
    }
    // Sent alone and refused: it is the reason. In a batch it may be another.
    if (!line.alone && !isTransient(line.error) && !isMissing(line.error) && !isDenied(line.error)) {
      this.resume(line, key, first, 0);
      return;
    }
    this.afterFailure(line.error, first, failures, (final) => {
      if (final === undefined) this.resume(line, key, first, failures + 1);
      else {
        this.leave(first, line, final);
        const [next] = line.pending;
        if (next === undefined) this.topic.resumePublishing(key);
        this.resume(line, key, next, 0);
      }
    });
  }

  private resume(line: KeyLine, key: string, next: Outgoing | undefined, failures: number): void {
    line.error = undefined;
    line.alone = true;
    this.topic.resumePublishing(key);
    if (next === undefined) this.answered(line, key, 0);
    else this.sendInLine(next, line, key, failures);
  }

  private async publish(topic: Topic, { message }: Outgoing): Promise<void> {
    const { data, attributes, orderingKey } = message;
    await topic.publishMessage({ data, attributes, ...(orderingKey === undefined ? {} : { orderingKey }) });
  }

  /** Calls `go` with the error to end with, or without one when it is to be sent again. */
  private afterFailure(error: unknown, out: Outgoing, failures: number, go: (final?: Error) => void): void {
    const { settings, scheduler, logger, provide } = this.options;
    const missing = isMissing(error) && settings.createTopics;
    const final = this.finalError(error, out, missing);
    if (final !== undefined) {
      go(final);
      return;
    }
    const wait = Math.min(retryBaseMs * 2 ** failures, retryMaxMs);
    logger.warn({ error: reasonOf(error), waitMs: wait }, `publishing to ${this.logical} failed; it is tried again`);
    scheduler.schedule(() => {
      if (!missing) go(this.stopped ? stoppedError() : undefined);
      else
        provide(this.logical).then(
          () => go(),
          (cause: unknown) => go(this.wrapped(cause)),
        );
    }, wait);
  }

  private finalError(error: unknown, out: Outgoing, missing: boolean): Error | undefined {
    if (this.stopped) return stoppedError();
    if (isDenied(error) || (isMissing(error) && !missing)) return this.wrapped(error);
    const what = `Pub/Sub refused a record for ${this.logical}: ${reasonOf(error)}`;
    if (!isTransient(error) && !missing)
      return new PublishError(what, out.position, { cause: error, retryable: false });
    const { scheduler, settings } = this.options;
    if (scheduler.now() - out.since < settings.deliveryTimeoutMs) return undefined;
    const late = `a record for ${this.logical} could not be written within ${settings.deliveryTimeoutMs} ms: ${reasonOf(error)}`;
    return new PublishError(late, out.position, { cause: error });
  }

  private wrapped(error: unknown): Error {
    if (error instanceof StreamsError) return error;
    const text = `pubsub: publishing to ${topicName(this.options.settings, this.logical)} failed: ${reasonOf(error)}`;
    return new BrokerError(text, "pubsub", { cause: error });
  }
}

function stoppedError(): StoppedError {
  return new StoppedError("the session was closed before the record could be written");
}
