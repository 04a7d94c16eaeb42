import type { Lane } from "../../core/broker.ts";

interface KeyLane {
  readonly lane: Lane;
  readonly abort: AbortController;
}

/** One lane for each ordering key. Those that were idle longest are forgotten, and aborted, when there are too many. */
export class KeyLanes {
  private readonly prefix: string;
  private readonly capacity: number;
  private readonly isBusy: (key: string) => boolean;
  private readonly lanes = new Map<string, KeyLane>();

  /** @param isBusy whether records of a key are in flight: its lane stays */
  constructor(prefix: string, capacity: number, isBusy: (key: string) => boolean) {
    this.prefix = prefix;
    this.capacity = capacity;
    this.isBusy = isBusy;
  }

  of(key: string): Lane {
    let entry = this.lanes.get(key);
    if (entry === undefined) {
      const abort = new AbortController();
      entry = { abort, lane: { id: `${this.prefix}:${key}`, signal: abort.signal } };
      this.forget();
    } else this.lanes.delete(key);
    this.lanes.set(key, entry);
    return entry.lane;
  }

  abortAll(): void {
    for (const { abort } of this.lanes.values()) abort.abort();
    this.lanes.clear();
  }

  private forget(): void {
    if (this.lanes.size < this.capacity) return;
    for (const [key, { abort }] of this.lanes) {
      if (this.isBusy(key)) continue;
      this.lanes.delete(key);
      abort.abort();
      return;
    }
  }
}
