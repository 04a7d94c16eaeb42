import { flowOf, type Envelope } from "./envelope.ts";
import { FairQueue } from "../core/fair-queue.ts";

/** One value that waits, or is partly under way. */
export interface Item<K, V, O> {
  readonly envelope: Envelope<K, V>;
  readonly rows: number;
  /** Rows that are wanted: `rows`, or fewer when it was dropped in the middle. */
  end: number;
  /** Rows that have been put into batches. */
  taken: number;
  /** Rows whose outputs have come. */
  answered: number;
  failed: boolean;
  /** Outputs so far, in the order in which they came. */
  readonly outputs: { readonly from: number; readonly output: O }[];
}

/** Rows `from` to `to` (half-open) of an item, in one batch. */
export interface Part<K, V, O> {
  readonly item: Item<K, V, O>;
  readonly from: number;
  readonly to: number;
}

/** Values waiting for a batch; counted in rows, given out in fair turns. */
export class BatchQueue<K, V, O> {
  /** Rows that are not in a batch yet. */
  rows = 0;
  private readonly items = new FairQueue<Item<K, V, O>>();
  private readonly mayCut: boolean;

  constructor(mayCut: boolean) {
    this.mayCut = mayCut;
  }

  add(envelope: Envelope<K, V>, rows: number): void {
    const item = { envelope, rows, end: rows, taken: 0, answered: 0, failed: false, outputs: [] };
    this.items.add(item, flowOf(envelope));
    this.rows += rows;
  }

  /** Whether a record of this flow waits here. */
  has(flow: object): boolean {
    return this.items.has(flow);
  }

  /** What is left of a failed item leaves the count; the queue passes over it later. */
  forget(item: Item<K, V, O>): void {
    this.rows -= item.end - item.taken;
    item.end = item.taken;
  }

  /**
   * Forms a batch of at most `maxSize` rows. Each flow gets an equal share of it per turn, so that no flow waits for another's long value.
   *
   * A value that can't be cut and is larger than `maxSize` makes a batch of its own.
   */
  take(maxSize: number): Part<K, V, O>[] {
    const parts: Part<K, V, O>[] = [];
    let room = maxSize;
    const share = Math.max(1, Math.floor(maxSize / Math.max(1, this.items.width)));
    while (room > 0) {
      const item = this.items.peek();
      if (item === undefined) break;
      if (this.isOver(item)) continue;
      const left = item.end - item.taken;
      const count = this.mayCut ? Math.min(left, room, share) : left;
      if (count > room && parts.length > 0) break;
      parts.push({ item, from: item.taken, to: item.taken + count });
      item.taken += count;
      this.rows -= count;
      room -= count;
      if (item.taken === item.end) this.items.shift();
      else this.items.rotate();
    }
    return merged(parts);
  }

  /** Drops an item that is no longer wanted; true when it did. */
  private isOver(item: Item<K, V, O>): boolean {
    const { lineage } = item.envelope;
    if (!item.failed && !lineage.root.over) return false;
    this.items.shift();
    this.forget(item);
    // A failed item has been given to the policy. One that is over ends here, or with the rows of it that are under way.
    if (!item.failed && item.answered === item.taken) lineage.done();
    return true;
  }
}

/** Neighbouring rows of one item that came in several turns are one part. */
function merged<K, V, O>(parts: readonly Part<K, V, O>[]): Part<K, V, O>[] {
  const last = new Map<Item<K, V, O>, number>();
  const result: Part<K, V, O>[] = [];
  for (const part of parts) {
    const index = last.get(part.item);
    const before = index === undefined ? undefined : result[index];
    if (index !== undefined && before?.to === part.from) result[index] = { ...before, to: part.to };
    else {
      last.set(part.item, result.length);
      result.push(part);
    }
  }
  return result;
}
