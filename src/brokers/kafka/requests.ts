import type { Message, RecordMetadata, TopicMessages } from "kafkajs";
import type { Encoded } from "./encode.ts";
import type { TopicCatalog } from "./topics.ts";

/** Most bytes in one request. Source: kept below the default `max.message.bytes` of 1 MiB. */
const MAX_BYTES = 900 * 1024;

/** The records in requests that the broker takes: a request has one batch for each partition, which must not be larger than the topic allows. */
export function requestsOf<T extends Encoded>(
  records: readonly T[],
  catalog: Pick<TopicCatalog, "maxMessageBytes">,
): readonly T[][] {
  const requests: T[][] = [];
  let request: T[] = [];
  let bytes = 0;
  let byPartition = new Map<string, number>();
  for (const record of records) {
    const id = `${record.topic}/${record.partition}`;
    const inPartition = (byPartition.get(id) ?? 0) + record.size;
    const full = bytes + record.size > MAX_BYTES || inPartition > catalog.maxMessageBytes(record.topic);
    if (request.length > 0 && full) {
      requests.push(request);
      request = [];
      bytes = 0;
      byPartition = new Map();
    }
    byPartition.set(id, (byPartition.get(id) ?? 0) + record.size);
    bytes += record.size;
    request.push(record);
  }
  if (request.length > 0) requests.push(request);
  return requests;
}

/** What kafkajs takes for a request. */
export function topicMessagesOf(batch: readonly Encoded[]): TopicMessages[] {
  const topics = new Map<string, Message[]>();
  for (const { topic, message } of batch) {
    const messages = topics.get(topic);
    if (messages === undefined) topics.set(topic, [message]);
    else messages.push(message);
  }
  return Array.from(topics, ([topic, messages]) => ({ topic, messages }));
}

/** kafkajs drops records of partitions that it does not know, and resolves: each must have an answer. */
export function checkResults(batch: readonly Encoded[], results: readonly RecordMetadata[]): void {
  const written = new Set<string>();
  for (const { topicName, partition, errorCode } of results) {
    if (errorCode === 0) written.add(`${topicName}/${partition}`);
  }
  for (const { topic, partition } of batch) {
    if (!written.has(`${topic}/${partition}`)) throw new Error(`no acknowledgement for ${topic}/${partition}`);
  }
}
