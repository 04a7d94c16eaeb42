import type { CompressionTypes, Kafka, Producer } from "kafkajs";
import type { Logger } from "../../core/logger.ts";
import { strictProducer } from "./client.ts";
import type { Encoded } from "./encode.ts";
import { sendChecked } from "./requests.ts";

/**
 * An idempotent producer of kafkajs that is replaced after any failed write.
 *
 * One write at a time: with two in flight, a lost response makes kafkajs give one sequence number twice, and the broker takes the second record
 * for a repetition. After a rejected write the sequence numbers of that producer are wrong, and the next record would be lost the same way.
 *
 * Source: measured with kafkajs 2.2.4: five concurrent sends and a response that is swallowed lose a record.
 */
export class SinkProducer {
  private readonly kafka: Kafka;
  private readonly compression: CompressionTypes;
  private readonly logger: Logger;
  private current: Promise<Producer> | undefined = undefined;

  constructor(kafka: Kafka, compression: CompressionTypes, logger: Logger) {
    this.kafka = kafka;
    this.compression = compression;
    this.logger = logger;
  }

  async connect(): Promise<void> {
    this.current ??= this.open();
    await this.current;
  }

  /** Resolves when every record is written; rejects when one is not, or may not be. */
  async write(batch: readonly Encoded[]): Promise<void> {
    this.current ??= this.open();
    await sendChecked(await this.current, batch, this.compression);
  }

  /** The next write opens another producer; this one goes in the background. */
  replace(): void {
    const old = this.current;
    this.current = undefined;
    if (old !== undefined) void this.disconnect(old);
  }

  async close(): Promise<void> {
    const old = this.current;
    this.current = undefined;
    if (old !== undefined) await this.disconnect(old);
  }

  private async open(): Promise<Producer> {
    const producer = this.kafka.producer(strictProducer);
    try {
      await producer.connect();
      return producer;
    } catch (cause) {
      await producer.disconnect().catch(() => {}); // why it could not connect says more
      throw cause;
    }
  }

  private async disconnect(old: Promise<Producer>): Promise<void> {
    try {
      const producer = await old;
      await producer.disconnect();
    } catch (cause) {
      this.logger.debug({ err: cause }, "kafka producer did not close cleanly");
    }
  }
}
