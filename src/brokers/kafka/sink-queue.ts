import { PublishError } from "../../core/errors.ts";
import type { Position } from "../../core/record.ts";
import type { Encoded } from "./encode.ts";
import type { TopicCatalog } from "./topics.ts";

/** Most records and bytes in one request. Source: measured, 125,000 records/s in batches of 1,000 and no more in larger ones. */
const MAX_RECORDS = 2_000;
const MAX_BYTES = 900 * 1024;

/** One call of `send`: resolves when each of its records is settled, rejects with the first of their errors. */
export class SendCall {
  readonly position: Position;
  readonly done: Promise<void>;
  private left: number;
  private error: Error | undefined = undefined;
  private end: () => void = () => {};

  constructor(position: Position, records: number) {
    this.position = position;
    this.left = records;
    this.done = new Promise((resolve, reject) => {
      this.end = () => (this.error === undefined ? resolve() : reject(this.error));
    });
    if (records === 0) this.end();
  }

  settle(error?: Error): void {
    this.error ??= error;
    this.left -= 1;
    if (this.left === 0) this.end();
  }
}

/** A record that waits to be written. */
export interface Entry {
  readonly encoded: Encoded;
  readonly call: SendCall;
  /** When it is given up, by `performance.now()`; Infinity: never. */
  readonly expires: number;
}

/** What waits to be written, in order. */
export class SinkQueue {
  private entries: Entry[] = [];
  private head = 0;

  get empty(): boolean {
    return this.head === this.entries.length;
  }

  push(entry: Entry): void {
    this.entries.push(entry);
  }

  /** The first records that fit one request, and for each partition one batch. At least one, when there is one. */
  take(catalog: Pick<TopicCatalog, "maxMessageBytes">): Entry[] {
    const batch: Entry[] = [];
    const perPartition = new Map<string, number>();
    let bytes = 0;
    for (let entry = this.entries[this.head]; entry !== undefined; entry = this.entries[this.head]) {
      const { topic, size } = entry.encoded;
      const id = partitionId(entry);
      const inPartition = (perPartition.get(id) ?? 0) + size;
      bytes += size;
      const full = batch.length >= MAX_RECORDS || bytes > MAX_BYTES || inPartition > catalog.maxMessageBytes(topic);
      if (batch.length > 0 && full) break;
      perPartition.set(id, inPartition);
      batch.push(entry);
      this.head += 1;
    }
    if (this.head > MAX_RECORDS || this.empty) {
      this.entries = this.entries.slice(this.head);
      this.head = 0;
    }
    return batch;
  }

  /** Everything that waits; afterwards nothing does. */
  drain(): Entry[] {
    const rest = this.entries.slice(this.head);
    this.entries = [];
    this.head = 0;
    return rest;
  }
}

/** Two or more smaller batches of a batch of two or more: by partition, else halves. Together they are the batch, each partition in order. */
export function split(batch: readonly Entry[]): readonly Entry[][] {
  const partitions = byPartition(batch);
  if (partitions.size > 1) return [...partitions.values()];
  const middle = Math.ceil(batch.length / 2);
  return [batch.slice(0, middle), batch.slice(middle)];
}

/** The error of a record that could not be written. */
export function publishError(
  { call, encoded }: Entry,
  reason: string,
  retryable: boolean,
  cause: unknown,
): PublishError {
  return new PublishError(`kafka: record for ${encoded.topic}/${encoded.partition} ${reason}`, call.position, {
    cause,
    retryable,
  });
}

function partitionId({ encoded }: Entry): string {
  return `${encoded.topic}/${encoded.partition}`;
}

function byPartition(batch: readonly Entry[]): ReadonlyMap<string, Entry[]> {
  const partitions = new Map<string, Entry[]>();
  for (const entry of batch) {
    const id = partitionId(entry);
    const entries = partitions.get(id);
    if (entries === undefined) partitions.set(id, [entry]);
    else entries.push(entry);
  }
  return partitions;
}
