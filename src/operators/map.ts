import type { OperatorFunction } from "rxjs";
import type { StreamRecord } from "../core/record.ts";
import type { Envelope } from "./envelope.ts";
import type { NodeContext } from "./node-context.ts";
import { perRecord } from "./per-record.ts";

/** One record in, one out: `project` gives the whole new record, made with the `with…` methods of the old one. */
export function map<K, V, RK, RV>(
  project: (record: StreamRecord<K, V>) => StreamRecord<RK, RV>,
  context: NodeContext,
): OperatorFunction<Envelope<K, V>, Envelope<RK, RV>> {
  return perRecord(context, ({ record, lineage }, out) => {
    out.next({ record: project(record), lineage });
  });
}
