import type { OperatorFunction } from "rxjs";
import type { StreamRecord } from "../core/record.ts";
import type { Envelope } from "./envelope.ts";
import type { NodeContext } from "./node-context.ts";
import { perRecord } from "./per-record.ts";

/** Passes the records for which `predicate` is true. The others are settled: filtering is an ack. */
export function filter<K, V>(
  predicate: (value: V, record: StreamRecord<K, V>) => boolean,
  context: NodeContext,
): OperatorFunction<Envelope<K, V>, Envelope<K, V>> {
  return perRecord(context, (envelope, out) => {
    if (predicate(envelope.record.value, envelope.record)) out.next(envelope);
    else envelope.lineage.done();
  });
}
