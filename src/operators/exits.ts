import type { OperatorFunction } from "rxjs";
import type { Exit, Lineage } from "../core/lineage.ts";
import type { StreamRecord } from "../core/record.ts";
import type { Envelope } from "./envelope.ts";
import type { NodeContext } from "./node-context.ts";
import { perRecord } from "./per-record.ts";

/** An operator that ends its branch: what it takes leaves in the order of the lines. */
export type Terminal<K, V> = OperatorFunction<Envelope<K, V>, never>;

/** Calls `act` for each record when its turn in the line has come; the record is settled when it has returned, or its promise resolved. */
export function exitWith<K, V>(
  act: (record: StreamRecord<K, V>) => PromiseLike<void> | void,
  context: NodeContext,
): Terminal<K, V> {
  return perRecord(context, ({ record, lineage }) => {
    lineage.exit(new CallExit(record, act, context));
  });
}

class CallExit<K, V> implements Exit {
  private readonly record: StreamRecord<K, V>;
  private readonly act: (record: StreamRecord<K, V>) => PromiseLike<void> | void;
  private readonly context: NodeContext;

  constructor(
    record: StreamRecord<K, V>,
    act: (record: StreamRecord<K, V>) => PromiseLike<void> | void,
    context: NodeContext,
  ) {
    this.record = record;
    this.act = act;
    this.context = context;
  }

  leave(): Promise<void> | undefined {
    const { endToEndMs } = this.context.metrics;
    if (endToEndMs !== undefined) endToEndMs.observe(this.context.scheduler.now() - this.record.timestamp);
    const result = this.act(this.record);
    return result === undefined ? undefined : Promise.resolve(result);
  }

  failed(cause: unknown, exited: Lineage, retry: () => void): void {
    this.context.errors.handle(cause, { record: this.record, lineage: exited }, retry);
  }
}
