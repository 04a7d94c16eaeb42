import { Assignment, type CommittedOffset } from "./assignment.ts";
import type { PartitionLog } from "./partition-log.ts";
import type { MemorySession } from "./session.ts";

/** Sessions that share the records of their topics: committed offsets, and who holds which partition. */
export class ConsumerGroup {
  readonly id: string;
  readonly members: MemorySession[] = [];
  private readonly offsets = new Map<PartitionLog, CommittedOffset>();
  private readonly held = new Map<PartitionLog, MemorySession>();
  private epoch = 0;
  /** Shifts who gets what, so that a forced rebalance moves partitions. */
  private turn = 0;

  constructor(id: string) {
    this.id = id;
  }

  join(session: MemorySession): void {
    this.members.push(session);
    this.rebalance();
  }

  leave(session: MemorySession): void {
    const index = this.members.indexOf(session);
    if (index === -1) return;
    this.members.splice(index, 1);
    for (const [log, holder] of this.held) if (holder === session) this.held.delete(log);
    this.rebalance();
  }

  /** Undefined when nothing was ever committed. */
  committed(log: PartitionLog): number | undefined {
    return this.offsets.get(log)?.value;
  }

  /** Spreads the partitions over the members. One that stays where it is keeps its lane, unless `all` are to be lost. */
  rebalance(all = false): void {
    if (all) {
      this.turn += 1;
      for (const [log, holder] of this.held) holder.revoke(log);
      this.held.clear();
    }
    this.epoch += 1;
    const wanted = this.spread();
    for (const [log, holder] of this.held) {
      if (wanted.get(log) === holder) continue;
      holder.revoke(log);
      this.held.delete(log);
    }
    for (const [log, member] of wanted) {
      if (this.held.has(log)) continue;
      this.held.set(log, member);
      member.assign(new Assignment(log, this.startOf(log, member), this.epoch, member));
    }
  }

  private spread(): Map<PartitionLog, MemorySession> {
    const wanted = new Map<PartitionLog, MemorySession>();
    const logs = new Set(this.members.flatMap((member) => member.subscribed));
    let place = this.turn;
    for (const log of logs) {
      const candidates = this.members.filter((member) => member.subscribed.includes(log));
      const member = candidates[place % candidates.length];
      if (member !== undefined) wanted.set(log, member);
      place += 1;
    }
    return wanted;
  }

  /** The committed offset; the first time the start that was asked for, which is committed at once so that a restart finds it. */
  private startOf(log: PartitionLog, member: MemorySession): CommittedOffset {
    const known = this.offsets.get(log);
    if (known !== undefined) return known;
    const start = { value: member.resetOf(log.topic) === "latest" ? log.end : log.start };
    this.offsets.set(log, start);
    return start;
  }
}
