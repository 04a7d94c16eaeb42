import type { Lineage } from "../core/lineage.ts";
import type { StreamRecord } from "../core/record.ts";

/** A record and its share in the duty to settle the delivery that it descends from: what flows between operators. */
export interface Envelope<K, V> {
  readonly record: StreamRecord<K, V>;
  readonly lineage: Lineage;
}

/** What takes turns with others: the line in which its order is kept, or its delivery when it has no order to keep. */
export function flowOf({ lineage }: AnyEnvelope): object {
  return lineage.root.home ?? lineage.root;
}

/** An envelope whose types an operator does not look at. */
export type AnyEnvelope = Envelope<unknown, unknown>;
