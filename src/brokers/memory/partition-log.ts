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
  /** `topic/partition`: its name in positions. */
  readonly id: string;
  /** Called after records were appended. */
  readonly readers: Set<() => void> = new Set();
  private readonly retention: number;
  private records: RawRecord[] = [];
  private base = 0;

  constructor(topic: string, partition: number, retention: number) {
    this.topic = topic;
    this.partition = partition;
    this.id = `${topic}/${partition}`;
    this.retention = retention;
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
    return this.records[offset - this.base];
  }

  append(record: OutgoingRecord): void {
    this.records.push(new LogRecord(this.topic, this.partition, record));
    for (const reader of this.readers) reader();
  }

  /** Drops old records that nobody needs: those below `needed`, and older than the newest `retention`. */
  trim(needed: number): void {
    const drop = Math.min(needed, this.end - this.retention) - this.base;
    // A slice copies what stays: worth it only for many.
    if (drop < 1024 || drop * 2 < this.records.length) return;
    this.records = this.records.slice(drop);
    this.base += drop;
  }
}
