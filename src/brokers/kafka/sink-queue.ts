import { PublishError } from "../../core/errors.ts";
import type { Fifo } from "../../core/fifo.ts";
import type { Position } from "../../core/record.ts";
import type { Encoded } from "./encode.ts";
import { RequestRoom } from "./requests.ts";
import type { TopicCatalog } from "./topics.ts";

/** Most records in one request. Source: measured, 125,000 records/s in batches of 1,000 and no more in larger ones. */
const MAX_RECORDS = 2_000;

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

/** The first records that fit one request, taken from what waits to be written. At least one, when there is one. */
export function takeRequest(waiting: Fifo<Entry>, catalog: Pick<TopicCatalog, "maxMessageBytes">): Entry[] {
  const batch: Entry[] = [];
  const room = new RequestRoom(catalog);
  for (let entry = waiting.peek(); entry !== undefined; entry = waiting.peek()) {
    if (batch.length >= MAX_RECORDS || !room.takes(entry.encoded)) break;
    batch.push(entry);
    waiting.shift();
  }
  return batch;
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
