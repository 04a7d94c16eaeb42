import { PublishError, StoppedError } from "../../core/errors.ts";
import type { OutgoingRecord } from "../../core/record.ts";
import { encodeMessage } from "./attributes.ts";
import { Fifo } from "../../core/fifo.ts";
import { isName, topicName } from "./options.ts";
import type { Outgoing } from "./outgoing.ts";
import { TopicPublisher, type PublisherOptions } from "./topic-publisher.ts";

/** Longest wait for what is on its way when a session closes, milliseconds. */
const closeTimeoutMs = 5_000;

/** Writes records: checks them all first, keeps the order of calls, and bounds the bytes on their way. */
export class Sink {
  private readonly options: PublisherOptions;
  private readonly publishers = new Map<string, TopicPublisher>();
  private readonly waiting = new Fifo<Outgoing>();
  private readonly unanswered = new Set<Promise<void>>();
  private outstandingBytes = 0;
  private closed = false;

  constructor(options: PublisherOptions) {
    this.options = options;
  }

  /** Errors: `ERR_PUBLISH` (nothing of `outs` is written when one can't be encoded), `ERR_BROKER`, `ERR_STOPPED`. */
  write(outs: readonly OutgoingRecord[], position: string): Promise<void> {
    if (this.closed) return Promise.reject(new StoppedError("publish after close()"));
    const answer = new Promise<void>((resolve, reject) => {
      let left = outs.length;
      if (left === 0) resolve();
      let failure: Error | undefined;
      const finish = (error?: Error): void => {
        failure ??= error;
        left -= 1;
        if (left > 0) return;
        if (failure === undefined) resolve();
        else reject(failure);
      };
      for (const outgoing of this.encode(outs, position, finish)) this.waiting.push(outgoing);
    });
    this.unanswered.add(answer);
    const forget = (): void => void this.unanswered.delete(answer);
    answer.then(forget, forget);
    this.pump();
    return answer;
  }

  /** Waits a while for what is on its way; what is not written then, is rejected. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    for (const { finish } of this.waiting.clear()) finish(new StoppedError("publish was cut short by close()"));
    for (const publisher of this.publishers.values()) publisher.stop();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, closeTimeoutMs);
    });
    await Promise.race([Promise.allSettled(this.unanswered), late]);
    clearTimeout(timer);
  }

  private encode(outs: readonly OutgoingRecord[], position: string, finish: (error?: Error) => void): Outgoing[] {
    const { settings, scheduler } = this.options;
    const { ordering, maxRecordBytes } = settings;
    const since = scheduler.now();
    return outs.map((out) => {
      const name = topicName(settings, out.topic);
      if (!isName(name))
        throw new PublishError(`${JSON.stringify(name)} is no name for a topic`, position, { retryable: false });
      const message = encodeMessage(out, { ordering, maxRecordBytes, position });
      return { topic: out.topic, message, position, since, finish, sizeBytes: message.data.length + overheadBytes };
    });
  }

  private pump(): void {
    for (let next = this.waiting.peek(); next !== undefined; next = this.waiting.peek()) {
      // One that is larger than the bound goes alone.
      const { maxOutstandingBytes } = this.options.settings;
      if (this.outstandingBytes > 0 && this.outstandingBytes + next.sizeBytes > maxOutstandingBytes) return;
      this.waiting.shift();
      this.send(next);
    }
  }

  private send(out: Outgoing): void {
    this.outstandingBytes += out.sizeBytes;
    this.publisherOf(out.topic).send({
      ...out,
      finish: (error) => {
        this.outstandingBytes -= out.sizeBytes;
        out.finish(error);
        this.pump();
      },
    });
  }

  private publisherOf(topic: string): TopicPublisher {
    let publisher = this.publishers.get(topic);
    if (publisher === undefined) {
      publisher = new TopicPublisher(topic, this.options);
      this.publishers.set(topic, publisher);
    }
    return publisher;
  }
}

/** What a message takes in memory beside its data, roughly, bytes. */
const overheadBytes = 256;
