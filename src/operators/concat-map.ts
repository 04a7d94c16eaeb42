import type { ObservableInput, OperatorFunction } from "rxjs";
import type { StreamRecord } from "../core/record.ts";
import type { Envelope } from "./envelope.ts";
import { mergeMap } from "./merge-map.ts";
import type { NodeContext } from "./node-context.ts";

/** RxJS's `concatMap`, per record: one inner Observable at a time, in the order of arrival. */
export function concatMap<K, V, R>(
  project: (value: V, record: StreamRecord<K, V>) => ObservableInput<R>,
  context: NodeContext,
): OperatorFunction<Envelope<K, V>, Envelope<K, R>> {
  return mergeMap(project, 1, context);
}
