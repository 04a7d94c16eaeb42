import type { Message } from "kafkajs";
import { PublishError } from "../../core/errors.ts";
import { partitionFor } from "../../core/murmur2.ts";
import type { OutgoingRecord, Position } from "../../core/record.ts";
import { asBuffer, kafkajsHeaders } from "./headers.ts";
import { HEADER_OVERHEAD, RECORD_OVERHEAD, headerBytes } from "./record-size.ts";
import type { TopicCatalog } from "./topics.ts";

/** A record as kafkajs takes it, with its place. */
export interface Encoded {
  readonly topic: string;
  readonly partition: number;
  readonly message: Message;
  /** Upper bound of what it takes in a batch, bytes. */
  readonly size: number;
}

/** The partitions that records without a key go to: one per topic, until the batch is sent. */
export class StickyPartitions {
  private readonly current = new Map<string, number>();
  private turn = 0;

  partitionOf(topic: string, partitions: number): number {
    const current = this.current.get(topic);
    if (current !== undefined && current < partitions) return current;
    const next = this.turn % partitions;
    this.turn = (this.turn + 1) % Number.MAX_SAFE_INTEGER;
    this.current.set(topic, next);
    return next;
  }

  /** A batch was taken: the next one goes elsewhere. */
  nextBatch(): void {
    this.current.clear();
  }
}

/**
 * Encodes a record, without a copy of its bytes where they are Buffers or views, and chooses its partition: the record's own, by the key as
 * Kafka's Java client does, or sticky.
 *
 * **Errors:** `ERR_PUBLISH`, not retryable: the topic or the partition does not exist, or the record is too large.
 */
export function encodeRecord(
  out: OutgoingRecord,
  catalog: Pick<TopicCatalog, "partitionsOf" | "maxMessageBytes" | "maxRecordBytes">,
  sticky: StickyPartitions,
  position: Position,
): Encoded {
  const { topic, key, value } = out;
  const headers = out.headers; // may be made on demand: read once
  const partitions = catalog.partitionsOf(topic);
  if (partitions === undefined) {
    throw new PublishError(`kafka: topic ${topic} does not exist`, position, { retryable: false });
  }
  const bytes = (key?.length ?? 0) + (value?.length ?? 0) + headerBytes(headers);
  const size = bytes + RECORD_OVERHEAD + headers.length * HEADER_OVERHEAD;
  checkSize(topic, bytes, size, catalog, position);
  const partition = choosePartition(out, partitions, sticky);
  if (!Number.isInteger(partition) || partition < 0 || partition >= partitions) {
    throw new PublishError(
      `kafka: partition of ${topic} must be an integer from 0 to ${partitions - 1}, got ${partition}`,
      position,
      { retryable: false },
    );
  }
  return {
    topic,
    partition,
    size,
    message: {
      key: key === null ? null : asBuffer(key),
      value: value === null ? null : asBuffer(value),
      partition,
      headers: kafkajsHeaders(headers),
      timestamp: String(out.timestamp),
    },
  };
}

function choosePartition(
  { topic, key, partition }: OutgoingRecord,
  partitions: number,
  sticky: StickyPartitions,
): number {
  if (typeof partition === "number") return partition;
  if (partition !== undefined) return partition(partitions);
  return key === null ? sticky.partitionOf(topic, partitions) : partitionFor(key, partitions);
}

function checkSize(
  topic: string,
  bytes: number,
  size: number,
  catalog: Pick<TopicCatalog, "maxMessageBytes" | "maxRecordBytes">,
  position: Position,
): void {
  const most = catalog.maxMessageBytes(topic);
  if (bytes <= catalog.maxRecordBytes && size <= most) return;
  throw new PublishError(
    `kafka: record for ${topic} is too large: ${bytes} bytes of key, value and headers, at most ${Math.min(catalog.maxRecordBytes, most - RECORD_OVERHEAD)}`,
    position,
    { retryable: false },
  );
}
