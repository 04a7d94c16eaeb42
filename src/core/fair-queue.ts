/**
 * A queue of flows that take turns: first in, first out within a flow; round robin between flows.
 *
 * A flow is any object: the line in which order is kept, or the item itself when it has no order to keep.
 */
export class FairQueue<T> {
  /** Number of items in all flows. */
  size = 0;
  /** In the order of their turns; the first is next. */
  private readonly flows = new Map<object, Ring<T>>();

  has(flow: object): boolean {
    return this.flows.has(flow);
  }

  /** Number of flows that have items. */
  get width(): number {
    return this.flows.size;
  }

  add(item: T, flow: object): void {
    const ring = this.flows.get(flow);
    if (ring === undefined) this.flows.set(flow, new Ring(item));
    else ring.push(item);
    this.size += 1;
  }

  /** The item whose turn it is. */
  peek(): T | undefined {
    for (const ring of this.flows.values()) return ring.first;
    return undefined;
  }

  /** Takes the item whose turn it is; the turn goes to the next flow. */
  shift(): T | undefined {
    for (const [flow, ring] of this.flows) {
      this.size -= 1;
      const item = ring.shift();
      this.flows.delete(flow);
      if (ring.length > 0) this.flows.set(flow, ring);
      return item;
    }
    return undefined;
  }

  /** The turn goes to the next flow; nothing is taken. */
  rotate(): void {
    if (this.flows.size < 2) return;
    for (const [flow, ring] of this.flows) {
      this.flows.delete(flow);
      this.flows.set(flow, ring);
      return;
    }
  }

  /** Forgets a flow. */
  drop(flow: object): void {
    this.size -= this.flows.get(flow)?.length ?? 0;
    this.flows.delete(flow);
  }

  /** Forgets everything. */
  clear(): void {
    this.flows.clear();
    this.size = 0;
  }

  /** Takes everything, in the order of turns. */
  *drain(): Generator<T> {
    for (let item = this.shift(); item !== undefined; item = this.shift()) yield item;
  }
}

/** A first-in-first-out list that most often holds one item: no array until a second comes. */
class Ring<T> {
  length = 1;
  first: T | undefined;
  private rest: T[] | undefined = undefined;
  private head = 0;

  constructor(first: T) {
    this.first = first;
  }

  push(item: T): void {
    this.rest ??= [];
    this.rest.push(item);
    this.length += 1;
  }

  shift(): T | undefined {
    const item = this.first;
    this.length -= 1;
    this.first = this.rest?.[this.head];
    this.head += 1;
    if (this.head > 1024 && this.rest !== undefined) {
      this.rest = this.rest.slice(this.head);
      this.head = 0;
    }
    return item;
  }
}
