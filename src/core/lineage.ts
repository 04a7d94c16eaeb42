import type { Arrival } from "./arrivals.ts";
import type { Delivery } from "./broker.ts";
import type { Line } from "./line.ts";

/** What leaves a topology: a record to publish, a line to print. It runs when its turn in the line has come. */
export interface Exit {
  /** `undefined`: done. A promise: resolves when done. Throws or rejects with why not. */
  leave(origin: DeliveryLineage): Promise<void> | undefined;
  /** Decides what happens when `leave` failed; must end in `retry()`, or in `done`, `fail` or `release` of `exited`. */
  failed(cause: unknown, exited: Lineage, retry: () => void): void;
}

/** A record's failure, kept until its delivery ends: one dead letter per delivery and node. */
export interface Failure {
  readonly node: string;
  readonly error: unknown;
  /** Paths of the records of this delivery that failed at this node. */
  readonly paths: string[];
}

/** How a delivery ends; the runtime gives one for all its deliveries. */
export interface LineageEnd {
  /** Set when everything has stopped: shares end without a word, and the broker delivers again. */
  readonly halted: boolean;
  /** Exits whose promise has not resolved yet. */
  leaving: number;
  /** Nothing descends from it any more. `failures` are those that wait for a dead letter. */
  settled(lineage: DeliveryLineage): void;
  /** Like `settled`, but some of it was given back undone: it must be nacked. */
  released(lineage: DeliveryLineage, cause: unknown): void;
  /** Its lane was lost meanwhile: it is another's now, neither acked nor nacked. */
  lost(lineage: DeliveryLineage): void;
}

/**
 * One record's share in the duty to settle a delivery.
 *
 * Whoever holds a share ends it exactly once: `done` (filtered out), `exit` (published, printed), `fail` (wants a dead letter) or
 * `release` (give the delivery back). `fork` makes a share for a child record first. The delivery is acked when all shares have ended.
 *
 * A share also has a place in a line. Children stand before their parent in the order of their making, so that the line is in the order in
 * which one thread would have made the records, whatever order the work finishes in. Exits leave from the head of the line.
 */
export class Lineage {
  readonly root: DeliveryLineage;
  /** Neighbours in the line; the line's own business. */
  previous: Lineage | undefined = undefined;
  next: Lineage | undefined = undefined;
  line: Line | undefined = undefined;
  /** Which one it was to leave the line; undefined before, and when it stood in none. The line's own business. */
  turn: number | undefined = undefined;
  /** Set when the work has ended with something to let out. */
  waiting: Exit | undefined = undefined;
  readonly parent: Lineage | undefined;
  /** Which child of its parent it is, from 0. */
  readonly index: number;
  private children = 0;

  constructor(root: DeliveryLineage | undefined, parent: Lineage | undefined, index: number) {
    // The root of a delivery is its own root; only DeliveryLineage passes undefined.
    this.root = root ?? (this as unknown as DeliveryLineage);
    this.parent = parent;
    this.index = index;
  }

  /** A share for a child of this record; its place is before this record's own. */
  fork(): Lineage {
    const child = new Lineage(this.root, this, this.children);
    this.children += 1;
    this.root.live += 1;
    if (this.line !== undefined) this.line.insertBefore(child, this);
    return child;
  }

  /** Nothing comes of this record. */
  done(): void {
    this.line?.remove(this);
    this.root.endShare();
  }

  /** This record ends in `exit`, which runs when everything before it in the line has left. */
  exit(exit: Exit): void {
    const line = this.line;
    if (line === undefined) return this.let(exit);
    this.waiting = exit;
    line.advance();
  }

  /** This record failed at `node`: its delivery gets a dead letter when it ends; the results of the rest stand. */
  fail(node: string, error: unknown): void {
    this.root.addFailure(node, error, this.path);
    this.done();
  }

  /** Gives the whole delivery back undone; work on its other records is dropped, and on what stands behind it in its line. */
  release(cause: unknown): void {
    if (!this.root.over) this.line?.giveBackBehind(this, cause);
    this.root.giveBack(cause);
    this.done();
  }

  /** Leaves the line for good: later records no longer wait for this one. */
  stepOut(): void {
    this.line?.remove(this);
  }

  /** Child indices from the delivery to this record: `""` for the delivery's own record, else `/0/3`. */
  get path(): string {
    return this.parent === undefined ? "" : `${this.parent.path}/${this.index}`;
  }

  /** Runs an exit whose turn has come; the line calls it. */
  let(exit: Exit): void {
    if (this.root.over) return this.root.endShare();
    let left: Promise<void> | undefined;
    try {
      left = exit.leave(this.root);
    } catch (cause) {
      this.exitFailed(exit, cause);
      return;
    }
    if (left === undefined) this.root.endShare();
    else this.whenLeft(exit, left);
  }

  private whenLeft(exit: Exit, left: Promise<void>): void {
    const { end, home } = this.root;
    end.leaving += 1;
    home?.departed();
    left.then(
      () => {
        end.leaving -= 1;
        home?.arrived();
        this.root.endShare();
      },
      (cause: unknown) => {
        end.leaving -= 1;
        this.exitFailed(exit, cause);
        home?.arrived();
      },
    );
  }

  /** A failed exit goes back to its place in the line, so that nothing overtakes it while it is decided and tried again. */
  private exitFailed(exit: Exit, cause: unknown): void {
    if (this.root.over) return this.root.endShare();
    if (this.turn !== undefined) this.root.home?.putBack(this);
    exit.failed(cause, this, () => {
      this.waiting = exit;
      if (this.line === undefined) this.let(exit);
      else this.line.advance();
    });
  }
}

/** Whether the lane that a delivery came through is still ours. */
export interface Ownership {
  readonly lost: boolean;
}

/** The share of a delivery's own record, and the account of all that descends from it. */
export class DeliveryLineage extends Lineage {
  readonly delivery: Delivery;
  /** Shares that have not ended. */
  live = 1;
  /** Failures waiting for a dead letter, by node. */
  failures: Map<string, Failure> | undefined = undefined;
  /** When it came, as the runtime counts it. */
  arrival: Arrival | undefined = undefined;
  /** The line it was put into; kept after it has left. */
  home: Line | undefined = undefined;
  readonly end: LineageEnd;
  readonly owner: Ownership | undefined;
  protected returned = false;
  protected cause: unknown = undefined;

  constructor(delivery: Delivery, owner: Ownership | undefined, end: LineageEnd) {
    super(undefined, undefined, 0);
    this.delivery = delivery;
    this.owner = owner;
    this.end = end;
  }

  /** Takes its place: at the end of `line`, or before another share. */
  enter(line: Line, before?: Lineage): void {
    this.home = line;
    if (before === undefined) line.append(this);
    else line.insertBefore(this, before);
  }

  /** True when no more work on it makes sense: its lane is lost, it is given back, or everything has stopped. */
  get over(): boolean {
    return this.returned || this.end.halted || this.owner?.lost === true;
  }

  endShare(): void {
    this.live -= 1;
    if (this.live > 0 || this.end.halted) return;
    this.finish();
  }

  /** All shares have ended. */
  protected finish(): void {
    if (this.owner?.lost === true) this.end.lost(this);
    else if (this.returned) this.end.released(this, this.cause);
    else this.end.settled(this);
  }

  addFailure(node: string, error: unknown, path: string): void {
    this.failures ??= new Map();
    const failure = this.failures.get(node);
    if (failure === undefined) this.failures.set(node, { node, error, paths: [path] });
    else failure.paths.push(path);
  }

  /** Everything that is left of it is dropped, and then it is nacked. */
  giveBack(cause: unknown): void {
    if (this.returned) return;
    this.returned = true;
    this.cause = cause;
  }
}
