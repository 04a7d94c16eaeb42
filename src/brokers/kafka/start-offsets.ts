import type { Admin } from "kafkajs";
import type { SessionOptions } from "../../core/broker.ts";
import type { TopicPartition } from "./flow.ts";

/** Where a group stands in a partition. `fresh`: nothing was ever committed, and `offset` is where it begins. */
export interface Start {
  readonly offset: number;
  readonly fresh: boolean;
}

/** Where a group stands in each of these partitions; where it never was, the begin or the end of the log. */
export async function startOffsets(
  admin: Admin,
  { groupId, autoOffsetReset }: Pick<SessionOptions, "groupId" | "autoOffsetReset">,
  assigned: readonly TopicPartition[],
): Promise<readonly Start[]> {
  const topics = [...new Set(assigned.map(({ topic }) => topic))];
  const committed = new Map<string, number>();
  for (const { topic, partitions } of await admin.fetchOffsets({ groupId, topics })) {
    for (const { partition, offset } of partitions) committed.set(`${topic}/${partition}`, Number(offset));
  }
  const ends = new Map<string, { readonly low: string; readonly high: string }>();
  for (const topic of topics) {
    const isNew = assigned.some((one) => one.topic === topic && (committed.get(`${topic}/${one.partition}`) ?? -1) < 0);
    if (!isNew) continue;
    for (const { partition, low, high } of await admin.fetchTopicOffsets(topic))
      ends.set(`${topic}/${partition}`, { low, high });
  }
  return assigned.map(({ topic, partition }) => {
    const id = `${topic}/${partition}`;
    const offset = committed.get(id) ?? -1;
    if (offset >= 0) return { offset, fresh: false };
    const end = ends.get(id);
    if (end === undefined) throw new Error(`the broker did not tell the offsets of ${id}`);
    return { offset: Number(autoOffsetReset[topic] === "latest" ? end.high : end.low), fresh: true };
  });
}
