import type { Consumer } from "kafkajs";
import type { OutgoingRecord } from "../../core/record.ts";
import type { KafkaDelivery } from "./delivery.ts";
import type { TopicPartition } from "./flow.ts";
import type { Partition } from "./partition.ts";

/** How results and progress reach the broker: what differs between the two guarantees. */
export interface Commits {
  /** Each partition begins, stops and restarts alone; else all at once. */
  readonly byPartition: boolean;
  /** So much waits for its commit that nothing more is handed out. */
  readonly full: boolean;
  /** Where the group stands in partitions that were just assigned; a first start is committed, so that a restart finds it. */
  begin(consumer: Consumer, assigned: readonly TopicPartition[]): Promise<readonly number[]>;
  publish(delivery: KafkaDelivery, outs: readonly OutgoingRecord[]): Promise<void> | undefined;
  /** A delivery of a partition that is ours was acked. */
  settled(delivery: KafkaDelivery): void;
  /** The watermark has moved without a settlement: behind it were only records that are for brokers. */
  moved(partition: Partition): void;
  /** Makes durable what can be. */
  flush(): Promise<void>;
  /** The partition is not ours any more. */
  lost(partition: Partition): void;
  close(): Promise<void>;
}
