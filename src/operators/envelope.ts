import type { Lineage } from "../core/lineage.ts";
import type { StreamRecord } from "../core/record.ts";

/** A record and its share in the duty to settle the delivery that it descends from: what flows between operators. */
export interface Envelope<K, V> {
  readonly record: StreamRecord<K, V>;
  readonly lineage: Lineage;
}

/** An envelope whose types an operator does not look at. */
export type AnyEnvelope = Envelope<unknown, unknown>;
