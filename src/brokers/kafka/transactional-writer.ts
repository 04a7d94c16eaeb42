import type { Kafka, Producer, Transaction } from "kafkajs";
import { compressionType, strictProducer } from "./client.ts";
import type { Encoded } from "./encode.ts";
import type { TopicPartition } from "./flow.ts";
import type { KafkaSettings } from "./options.ts";
import { requestsOf, sendChecked } from "./requests.ts";
import type { TopicCatalog } from "./topics.ts";

/** A result on its way into a transaction. */
export interface Output extends Encoded {
  readonly id: string;
}

/** A record that is done, and its results. */
export interface Settled {
  readonly offset: number;
  readonly outputs: readonly Output[];
}

export interface TransactionalWriterParts {
  readonly transactions: Kafka;
  readonly settings: KafkaSettings;
  readonly groupId: string;
  readonly catalog: TopicCatalog;
  /** The input partition whose results and offset it writes: it names the transactional id. */
  readonly source: TopicPartition;
}

/** The transactional producer of one input partition, in one assignment. One that has failed is not used again. */
export class TransactionalWriter {
  private readonly parts: TransactionalWriterParts;
  private readonly producer: Producer;

  constructor(parts: TransactionalWriterParts) {
    const { transactions, settings, groupId, source } = parts;
    this.parts = parts;
    this.producer = transactions.producer({
      ...strictProducer,
      // The group's id names the application; with one id per input partition the broker fences who held it before.
      transactionalId: `${groupId}-${source.topic}-${source.partition}`,
      transactionTimeout: settings.transactionTimeoutMs,
    });
  }

  /** The broker ends what an earlier producer of this id has open; from now on that one is refused. */
  async fence(): Promise<void> {
    await this.producer.connect();
    const transaction = await this.producer.transaction();
    await transaction.abort();
  }

  /** Results and offset, all or nothing. A rejection may mean either. */
  async commit(outputs: readonly Output[], offset: number): Promise<void> {
    const { groupId, source } = this.parts;
    const transaction = await this.producer.transaction();
    try {
      await this.send(transaction, outputs);
      await transaction.sendOffsets({
        consumerGroupId: groupId,
        topics: [{ topic: source.topic, partitions: [{ partition: source.partition, offset: String(offset) }] }],
      });
    } catch (cause) {
      await transaction.abort().catch(() => {}); // the next producer of this id ends it
      throw cause;
    }
    await transaction.commit();
  }

  /** Writes what is never seen, to learn whether the broker takes it. */
  async probe(outputs: readonly Output[]): Promise<void> {
    const transaction = await this.producer.transaction();
    try {
      await this.send(transaction, outputs);
    } finally {
      await transaction.abort().catch(() => {}); // the next producer of this id ends it
    }
  }

  close(): Promise<void> {
    return this.producer.disconnect();
  }

  private async send(transaction: Transaction, outputs: readonly Output[]): Promise<void> {
    const { catalog, settings } = this.parts;
    for (const request of requestsOf(outputs, catalog)) {
      await sendChecked(transaction, request, compressionType(settings));
    }
  }
}
