import type { CompressionTypes, Message, RecordMetadata, Sender, TopicMessages } from "kafkajs";
import type { Encoded } from "./encode.ts";
import type { TopicCatalog } from "./topics.ts";

/** Most bytes in one request. Source: kept below the default `max.message.bytes` of 1 MiB. */
const MAX_BYTES = 900 * 1024;

/** What one request has room for: it holds one batch for each partition, none larger than its topic allows. */
export class RequestRoom {
  private readonly catalog: Pick<TopicCatalog, "maxMessageBytes">;
  private readonly byPartition = new Map<string, number>();
  private bytes = 0;

  constructor(catalog: Pick<TopicCatalog, "maxMessageBytes">) {
    this.catalog = catalog;
  }

  /** Takes a record, or answers false when the request is full; the first always fits. */
  takes({ topic, partition, size }: Encoded): boolean {
    const id = `${topic}/${partition}`;
    const inPartition = (this.byPartition.get(id) ?? 0) + size;
    const full = this.bytes + size > MAX_BYTES || inPartition > this.catalog.maxMessageBytes(topic);
    if (full && this.bytes > 0) return false;
    this.byPartition.set(id, inPartition);
    this.bytes += size;
    return true;
  }
}

/** The records in as few requests as take them, in order. */
export function requestsOf<T extends Encoded>(
  records: readonly T[],
  catalog: Pick<TopicCatalog, "maxMessageBytes">,
): readonly T[][] {
  const requests: T[][] = [];
  let room = new RequestRoom(catalog);
  let request: T[] | undefined;
  for (const record of records) {
    if (request === undefined || !room.takes(record)) {
      room = new RequestRoom(catalog);
      room.takes(record);
      request = [];
      requests.push(request);
    }
    request.push(record);
  }
  return requests;
}

/** Writes one request. Rejects when a record of it is not written, or may not be. */
export async function sendChecked(
  sender: Pick<Sender, "sendBatch">,
  records: readonly Encoded[],
  compression: CompressionTypes,
): Promise<void> {
  checkResults(records, await sender.sendBatch({ acks: -1, compression, topicMessages: topicMessagesOf(records) }));
}

/** What kafkajs takes for a request. */
function topicMessagesOf(batch: readonly Encoded[]): TopicMessages[] {
  const topics = new Map<string, Message[]>();
  for (const { topic, message } of batch) {
    const messages = topics.get(topic);
    if (messages === undefined) topics.set(topic, [message]);
    else messages.push(message);
  }
  return Array.from(topics, ([topic, messages]) => ({ topic, messages }));
}

/** kafkajs drops records of partitions that it does not know, and resolves: each must have an answer. */
function checkResults(batch: readonly Encoded[], results: readonly RecordMetadata[]): void {
  const written = new Set<string>();
  for (const { topicName, partition, errorCode } of results) {
    if (errorCode === 0) written.add(`${topicName}/${partition}`);
  }
  for (const { topic, partition } of batch) {
    if (!written.has(`${topic}/${partition}`)) throw new Error(`no acknowledgement for ${topic}/${partition}`);
  }
}
