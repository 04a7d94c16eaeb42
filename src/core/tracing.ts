import type { Delivery } from "./broker.ts";
import type { Headers, OutgoingRecord } from "./record.ts";

/** The work on one delivery, from its arrival to its settlement. */
export interface DeliverySpan {
  /** The delivery's headers, which now name this span: what is made from the delivery carries them on. */
  readonly headers: Headers;
  /** @param cause why it failed; undefined when it did not */
  end(cause?: unknown): void;
}

/** Where an app writes down what it does, so that a request can be followed through it. `openTelemetry()` of `millrace/opentelemetry` is one. */
export interface Tracing {
  /**
   * Begins the span of a delivery, below the one that its headers name.
   *
   * @param broker name of the driver: `kafka`
   */
  process(delivery: Delivery, broker: string, groupId: string): DeliverySpan;
  /** Calls a model, or another function of a batch, in a span that links to those of the records that it answers. */
  batch<T>(batch: TracedBatch, call: () => Promise<T>): Promise<T>;
  /** Writes a record in a span below the one that its headers name; what is written names the new span. */
  send(
    record: OutgoingRecord,
    broker: string,
    write: (record: OutgoingRecord) => Promise<void> | undefined,
  ): Promise<void> | undefined;
}

export interface TracedBatch {
  /** Node of the topology. */
  readonly node: string;
  readonly rows: number;
  /** Headers of the records that are in it. */
  readonly sources: readonly Headers[];
}
