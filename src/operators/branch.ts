import type { OperatorFunction } from "rxjs";
import type { StreamRecord } from "../core/record.ts";
import type { Envelope } from "./envelope.ts";
import type { NodeContext } from "./node-context.ts";
import { perRecord } from "./per-record.ts";

/** An envelope and the index of the branch that it goes to. */
export interface Branched<K, V> extends Envelope<K, V> {
  readonly branch: number;
}

/**
 * Sends each record to the first branch whose predicate is true: `branch` is the predicate's index.
 *
 * Without a match it goes to `defaultBranch`; without one of those it is settled.
 */
export function branch<K, V>(
  predicates: readonly ((value: V, record: StreamRecord<K, V>) => boolean)[],
  defaultBranch: number | undefined,
  context: NodeContext,
): OperatorFunction<Envelope<K, V>, Branched<K, V>> {
  return perRecord(context, ({ record, lineage }, out) => {
    const match = predicates.findIndex((predicate) => predicate(record.value, record));
    const chosen = match === -1 ? defaultBranch : match;
    if (chosen === undefined) lineage.done();
    else out.next({ record, lineage, branch: chosen });
  });
}
