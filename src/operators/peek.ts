import type { OperatorFunction } from "rxjs";
import type { StreamRecord } from "../core/record.ts";
import type { Envelope } from "./envelope.ts";
import type { NodeContext } from "./node-context.ts";
import { perRecord } from "./per-record.ts";

/** Shows each record to `look` and passes it on. */
export function peek<K, V>(
  look: (value: V, record: StreamRecord<K, V>) => void,
  context: NodeContext,
): OperatorFunction<Envelope<K, V>, Envelope<K, V>> {
  return perRecord(context, (envelope, out) => {
    look(envelope.record.value, envelope.record);
    out.next(envelope);
  });
}
