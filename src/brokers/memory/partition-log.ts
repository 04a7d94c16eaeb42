import type { Headers, OutgoingRecord, RawRecord } from "../../core/record.ts";

/** A record in a log; its headers are made when first read. */
class LogRecord implements RawRecord {
  readonly topic: string;
  readonly partition: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly timestamp: number;
  private source: OutgoingRecord | undefined;
  private made: Headers | undefined = undefined;

  constructor(topic: string, partition: number, source: OutgoingRecord) {
    this.topic = topic;
    this.partition = partition;
    this.key = source.key;
    this.value = source.value;
    this.timestamp = source.timestamp;
    this.source = source;
  }

  get headers(): Headers {
    if (this.source !== undefined) {
      this.made = this.source.headers;
      this.source = undefined;
    }
    return this.made ?? [];
  }
}

/** The records of one partition, by offset. What every group has committed is dropped beyond `retention` records. */
export class PartitionLog {
  readonly topic: string;
  readonly partition: number;
  /** `topic/partition`. */
  readonly id: string;
  /** Its name in positions: `memory:topic/partition`. */
  readonly place: string;
  /** Called after records were appended. */
  readonly readers: Set<() => void> = new Set();
  private readonly retention: number;
  /** The oldest offset that a group still has to commit; the end when no group reads this log. */
  private readonly needed: () => number;
  /** As they were published; each becomes a `LogRecord` when it is first read. */
  private records: (OutgoingRecord | LogRecord)[] = [];
  private base = 0;
  /** Number of records from which on it is worth looking for some to drop. */
  private limit: number;

  constructor(topic: string, partition: number, retention: number, needed: (log: PartitionLog) => number) {
    this.topic = topic;
    this.partition = partition;
    this.id = `${topic}/${partition}`;
    this.place = `memory:${this.id}`;
    this.retention = retention;
    this.limit = retention + 4096;
    this.needed = () => needed(this);
  }

  /** Offset of the oldest record that is kept. */
  get start(): number {
    return this.base;
  }

  /** Offset that the next record will have. */
  get end(): number {
    return this.base + this.records.length;
  }

  at(offset: number): RawRecord | undefined {
    const index = offset - this.base;
    const record = this.records[index];
    if (record === undefined || record instanceof LogRecord) return record;
    const read = new LogRecord(this.topic, this.partition, record);
    this.records[index] = read;
    return read;
  }

  append(record: OutgoingRecord): void {
    this.records.push(record);
    if (this.records.length > this.limit) this.overflow();
    for (const reader of this.readers) reader();
  }

  /** Drops what nobody needs, when there is enough of it to be worth a copy of what stays. */
  private overflow(): void {
    const drop = Math.min(this.needed(), this.end - this.retention) - this.base;
    if (drop > 0) {
      this.records = this.records.slice(drop);
      this.base += drop;
    }
    this.limit = Math.max(2 * this.records.length, this.retention + 4096);
  }
}
