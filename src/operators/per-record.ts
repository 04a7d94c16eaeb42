import type { OperatorFunction } from "rxjs";
import type { AnyEnvelope } from "./envelope.ts";
import type { NodeContext } from "./node-context.ts";
import { operate } from "./operate.ts";

/** Where an operator emits. */
export interface Out<T> {
  next(envelope: T): void;
}

/**
 * The frame of every operator that works record by record: counts, and turns what `project` throws into a question to the error policy.
 *
 * `project` must end or pass on the envelope's share. It may run again for the same envelope when the policy says RETRY, so it
 * computes first and emits last.
 */
export function perRecord<I extends AnyEnvelope, O>(
  context: NodeContext,
  project: (envelope: I, out: Out<O>) => void,
): OperatorFunction<I, O> {
  return operate((out) => {
    const attempt = (envelope: I): void => {
      if (envelope.lineage.root.over) return envelope.lineage.done();
      try {
        project(envelope, out);
      } catch (cause) {
        context.errors.handle(cause, envelope, () => attempt(envelope));
      }
    };
    return (envelope) => {
      context.metrics.processed += 1;
      attempt(envelope);
    };
  });
}
