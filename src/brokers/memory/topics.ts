import { ConfigError, PublishError } from "../../core/errors.ts";
import { partitionFor } from "../../core/murmur2.ts";
import type { Origin, OutgoingRecord } from "../../core/record.ts";
import type { ConsumerGroup } from "./group.ts";
import { PartitionLog } from "./partition-log.ts";

export interface TopicsOptions {
  readonly partitions: number;
  readonly retention: number;
  readonly maxRecordBytes: number;
  readonly createTopics: boolean;
}

/** The topics of one broker, and the groups that read them. */
export class Topics {
  readonly groups: Map<string, ConsumerGroup> = new Map();
  private readonly options: TopicsOptions;
  private readonly logs = new Map<string, readonly PartitionLog[]>();
  private sticky = 0;
  private lastTopic: string | undefined = undefined;
  private lastLogs: readonly PartitionLog[] | undefined = undefined;

  constructor(options: TopicsOptions) {
    this.options = options;
  }

  get names(): readonly string[] {
    return [...this.logs.keys()];
  }

  create(topic: string, partitions: number = this.options.partitions): void {
    if (this.logs.has(topic)) return;
    const { retention } = this.options;
    this.logs.set(
      topic,
      Array.from(
        { length: partitions },
        (_, partition) => new PartitionLog(topic, partition, retention, (log) => this.needed(log)),
      ),
    );
  }

  /** Creates what is missing, or names it. Errors: `ERR_CONFIG`. */
  ensure(topics: readonly string[]): void {
    const missing = topics.filter((topic) => !this.logs.has(topic));
    if (missing.length > 0 && !this.options.createTopics) {
      throw new ConfigError(
        `memory: missing topics: ${missing.join(", ")}; create them with createTopic(), or set createTopics: true`,
      );
    }
    for (const topic of missing) this.create(topic);
  }

  partitionsOf(topic: string): readonly PartitionLog[] {
    this.ensure([topic]);
    return this.logs.get(topic) ?? [];
  }

  /** Errors: `ERR_PUBLISH`, not retryable, for a record that is too large or has no such partition. */
  check(record: OutgoingRecord, origin: Origin): void {
    const size = (record.key?.length ?? 0) + (record.value?.length ?? 0);
    const { maxRecordBytes } = this.options;
    if (size > maxRecordBytes) {
      throw refused(
        `a record for ${record.topic} has ${size} bytes, at most ${maxRecordBytes} are taken`,
        origin.position,
      );
    }
    if (this.logsOf(record.topic) === undefined) this.checkMissing(record.topic, origin);
    if (record.partition !== undefined) this.choose(record, this.partitionsOf(record.topic).length, origin.position);
  }

  append(record: OutgoingRecord): void {
    const logs = this.logsOf(record.topic) ?? this.partitionsOf(record.topic);
    const partition = logs.length === 1 ? 0 : this.choose(record, logs.length, record.topic);
    logs[partition]?.append(record);
  }

  /** Most records go where the last one went. */
  private logsOf(topic: string): readonly PartitionLog[] | undefined {
    if (topic === this.lastTopic) return this.lastLogs;
    const logs = this.logs.get(topic);
    if (logs === undefined) return undefined;
    this.lastTopic = topic;
    this.lastLogs = logs;
    return logs;
  }

  private checkMissing(topic: string, origin: Origin): void {
    if (!/^[\w.-]{1,249}$/.test(topic))
      throw refused(`${JSON.stringify(topic)} is no name for a topic`, origin.position);
    if (!this.options.createTopics) throw refused(`there is no topic ${topic}`, origin.position);
  }

  /** The oldest offset of a log that a group still has to commit; its end when no group reads it. */
  private needed(log: PartitionLog): number {
    let needed = log.end;
    for (const group of this.groups.values()) needed = Math.min(needed, group.committed(log) ?? needed);
    return needed;
  }

  private choose({ partition, key, topic }: OutgoingRecord, partitions: number, position: string): number {
    if (partition !== undefined) {
      const chosen = typeof partition === "number" ? partition : partition(partitions);
      if (Number.isInteger(chosen) && chosen >= 0 && chosen < partitions) return chosen;
      throw refused(`${topic} has partitions 0 to ${partitions - 1}, got ${String(chosen)}`, position);
    }
    if (key !== null) return partitionFor(key, partitions);
    this.sticky = (this.sticky + 1) % partitions;
    return this.sticky;
  }
}

function refused(message: string, position: string): PublishError {
  return new PublishError(message, position, { retryable: false });
}
