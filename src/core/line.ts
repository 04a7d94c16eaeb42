import type { Lineage } from "./lineage.ts";

/**
 * The queue in which order is kept: all shares of one lane (or of one key in it), in the order in which one thread would have made their
 * records. A doubly linked list, so that a share that ends with nothing to let out leaves from the middle at no cost.
 *
 * Invariant: no share at the head has something waiting, except while `advance` runs.
 */
export class Line {
  /** Called when the last share has left, so that an owner of many lines can forget this one. */
  private readonly emptied: (() => void) | undefined;
  private head: Lineage | undefined = undefined;
  private tail: Lineage | undefined = undefined;
  private advancing = false;

  constructor(emptied?: () => void) {
    this.emptied = emptied;
  }

  /** A new delivery: after all that came before it. */
  append(share: Lineage): void {
    share.line = this;
    share.previous = this.tail;
    if (this.tail === undefined) this.head = share;
    else this.tail.next = share;
    this.tail = share;
  }

  /** A failed exit returns to where it left from. */
  prepend(share: Lineage): void {
    if (this.head === undefined) this.append(share);
    else this.insertBefore(share, this.head);
  }

  insertBefore(share: Lineage, next: Lineage): void {
    share.line = this;
    share.next = next;
    share.previous = next.previous;
    if (next.previous === undefined) this.head = share;
    else next.previous.next = share;
    next.previous = share;
  }

  remove(share: Lineage): void {
    const wasHead = this.head === share;
    this.unlink(share);
    if (wasHead) this.advance();
  }

  /** Lets out everything whose turn has come. */
  advance(): void {
    if (this.advancing) return;
    this.advancing = true;
    for (let share = this.head; share?.waiting !== undefined; share = this.head) {
      const exit = share.waiting;
      share.waiting = undefined;
      this.unlink(share);
      share.let(exit);
    }
    this.advancing = false;
    if (this.head === undefined) this.emptied?.();
  }

  private unlink(share: Lineage): void {
    if (share.previous === undefined) this.head = share.next;
    else share.previous.next = share.next;
    if (share.next === undefined) this.tail = share.previous;
    else share.next.previous = share.previous;
    share.line = undefined;
    share.previous = undefined;
    share.next = undefined;
  }
}
