import type { Delivery, Lane } from "../core/broker.ts";
import { Line } from "../core/line.ts";
import type { Ownership } from "../core/lineage.ts";
import type { Ordered } from "../topology/nodes.ts";

/** Gives each sequence of bytes a text of its own; UTF-8 would not. */
const oneToOne = new TextDecoder("latin1");

/** The lines of one lane: one for all its records, or one per key. */
export class LaneLines implements Ownership {
  lost = false;
  private readonly whole = new Line();
  private readonly byKey = new Map<string, Line>();

  constructor(lane: Lane) {
    lane.signal.addEventListener("abort", () => (this.lost = true), { once: true });
    this.lost = lane.signal.aborted;
  }

  /** The line that a delivery stands in; undefined when it has no order to keep. */
  lineOf(delivery: Delivery, ordered: Ordered): Line | undefined {
    if (ordered === "partition") return this.whole;
    if (ordered === false || delivery.record.key === null) return undefined;
    const key = oneToOne.decode(delivery.record.key);
    const known = this.byKey.get(key);
    if (known !== undefined) return known;
    const line: Line = new Line(() => {
      // What a processor held comes back to a line that was forgotten; the key has another one by then.
      if (this.byKey.get(key) === line) this.byKey.delete(key);
    });
    this.byKey.set(key, line);
    return line;
  }
}

/** Finds the lines of a lane; they live as long as the lane object. */
export class Lanes {
  private readonly known = new WeakMap<Lane, LaneLines>();
  private last: { readonly lane: Lane; readonly lines: LaneLines } | undefined = undefined;

  linesOf(lane: Lane): LaneLines {
    if (this.last?.lane === lane) return this.last.lines;
    let lines = this.known.get(lane);
    if (lines === undefined) {
      lines = new LaneLines(lane);
      this.known.set(lane, lines);
    }
    this.last = { lane, lines };
    return lines;
  }
}
