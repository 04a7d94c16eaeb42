import type { Lineage } from "./lineage.ts";

/**
 * The queue in which order is kept: all shares of one lane (or of one key in it), in the order in which one thread would have made their
 * records. A doubly linked list, so that a share that ends with nothing to let out leaves from the middle at no cost.
 *
 * Invariant: no share at the head has something waiting, except while `advance` runs.
 */
export class Line {
  /** Called when the last share has left and gone out, so that an owner of many lines can forget this one. */
  private readonly emptied: (() => void) | undefined;
  private head: Lineage | undefined = undefined;
  private tail: Lineage | undefined = undefined;
  private advancing = false;
  /** Number of shares that have left to go out. */
  private turns = 0;
  /** Exits that have left and are not done. */
  private away = 0;

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

  /** A failed exit returns to where it left from: before all that wait, behind those that left before it and failed as well. */
  putBack(share: Lineage): void {
    const { turn = 0 } = share;
    let next = this.head;
    while (next?.turn !== undefined && next.turn < turn) next = next.next;
    if (next === undefined) this.append(share);
    else this.insertBefore(share, next);
  }

  /** An exit has left and will be done later. Each call is followed by one `arrived`. */
  departed(): void {
    this.away += 1;
  }

  /** It is done, or has been put back. */
  arrived(): void {
    this.away -= 1;
    this.tellIfEmpty();
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

  /** What stands behind a record that is given back would overtake it, and could not be committed before it. */
  giveBackBehind({ next }: Lineage, cause: unknown): void {
    for (let share = next; share !== undefined; share = share.next) share.root.giveBack(cause);
  }

  /** Lets out everything whose turn has come. */
  advance(): void {
    if (this.advancing) return;
    this.advancing = true;
    for (let share = this.head; share?.waiting !== undefined; share = this.head) {
      const exit = share.waiting;
      share.waiting = undefined;
      // One that was put back keeps its turn.
      if (share.turn === undefined) {
        share.turn = this.turns;
        this.turns += 1;
      }
      this.unlink(share);
      share.let(exit);
    }
    this.advancing = false;
    this.tellIfEmpty();
  }

  private tellIfEmpty(): void {
    if (this.head === undefined && this.away === 0) this.emptied?.();
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
