import type { Delivery, Lane } from "../core/broker.ts";
import { StoppedError } from "../core/errors.ts";
import type { Origin, OutgoingRecord, Position, RawRecord } from "../core/record.ts";
import type { DeliverySpan, Tracing } from "../core/tracing.ts";

/** Gives each delivery a span, which ends with it. */
export class TracedDeliveries {
  private readonly tracing: Tracing;
  private readonly broker: string;
  private readonly groupId: string;
  private readonly open = new Map<Delivery, DeliverySpan>();

  constructor(tracing: Tracing, broker: string, groupId: string) {
    this.tracing = tracing;
    this.broker = broker;
    this.groupId = groupId;
  }

  begin(delivery: Delivery): Delivery {
    const span = this.tracing.process(delivery, this.broker, this.groupId);
    const traced = new TracedDelivery(delivery, span, {
      end: (cause) => this.end(traced, cause),
      send: (record) => this.tracing.send(record, this.broker, (out) => delivery.publish([out])),
    });
    this.open.set(traced, span);
    return traced;
  }

  /** Does nothing for one that has ended. @param cause why it failed */
  end(delivery: Delivery, cause?: unknown): void {
    this.open.get(delivery)?.end(cause);
    this.open.delete(delivery);
  }

  /** Everything has stopped: what is unsettled will be delivered again. */
  stop(): void {
    for (const delivery of this.open.keys()) this.end(delivery, new StoppedError("stopped before it was settled"));
  }
}

interface Hooks {
  readonly end: (cause?: unknown) => void;
  readonly send: (record: OutgoingRecord) => Promise<void> | undefined;
}

class TracedDelivery implements Delivery {
  readonly record: RawRecord;
  readonly lane?: Lane;
  readonly origin: Origin;
  readonly attempt: number;
  private readonly delivery: Delivery;
  private readonly hooks: Hooks;

  constructor(delivery: Delivery, { headers }: DeliverySpan, hooks: Hooks) {
    this.delivery = delivery;
    const { topic, partition, key, value, timestamp } = delivery.record;
    this.record = { topic, ...(partition !== undefined && { partition }), key, value, headers, timestamp };
    this.origin = delivery.origin;
    this.attempt = delivery.attempt;
    if (delivery.lane !== undefined) this.lane = delivery.lane;
    this.hooks = hooks;
  }

  get position(): Position {
    return this.origin.position;
  }

  publish(outs: readonly OutgoingRecord[]): Promise<void> | undefined {
    const accepted = outs.flatMap((out) => this.hooks.send(out) ?? []);
    return accepted.length === 0 ? undefined : Promise.all(accepted).then(() => {});
  }

  ack(): void {
    this.hooks.end();
    this.delivery.ack();
  }

  nack(cause: unknown): void {
    this.hooks.end(cause);
    this.delivery.nack(cause);
  }
}
