import type { OutgoingRecord } from "../../core/record.ts";
import type { MemorySession } from "./session.ts";
import type { Topics } from "./topics.ts";

/** Why a write is refused. */
export interface Refusal {
  readonly message: string;
  readonly retryable: boolean;
}

/**
 * What can go wrong with a broker, by name, for tests. Faults strike all sessions of the broker, at once.
 */
export class Faults {
  /** Records are handed out this much later, milliseconds on the sessions' clock. 0: at once. */
  delayMs = 0;
  private readonly topics: Topics;
  private readonly sessions = new Set<MemorySession>();
  private refuse: ((record: OutgoingRecord) => Refusal | undefined) | undefined = undefined;

  constructor(topics: Topics) {
    this.topics = topics;
  }

  /** The connection breaks: every session fails, nothing that is out is acked, and the next session gets it again. */
  crash(reason = "the connection was lost"): void {
    for (const session of [...this.sessions]) session.fail(reason);
  }

  /** What is out is handed out once more, beside the first time: a lease that ran out. */
  redeliver(): void {
    for (const session of this.sessions) session.redeliver();
  }

  /** Every partition is taken from whoever holds it and given to another member, or to the same one anew. */
  rebalance(): void {
    for (const group of this.topics.groups.values()) group.rebalance(true);
  }

  /** Writes for which `decide` gives a refusal fail. Without an argument all writes succeed again. */
  refuseWrites(decide?: (record: OutgoingRecord) => Refusal | undefined): void {
    this.refuse = decide;
  }

  /** The broker's own business: sessions that faults can strike. */
  watch(session: MemorySession): void {
    this.sessions.add(session);
  }

  forget(session: MemorySession): void {
    this.sessions.delete(session);
  }

  refusal(outs: readonly OutgoingRecord[]): Refusal | undefined {
    if (this.refuse === undefined) return undefined;
    for (const out of outs) {
      const refusal = this.refuse(out);
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }
}
