import { context, propagation, trace, type TextMapGetter } from "@opentelemetry/api";
import type { IncomingHttpHeaders } from "node:http";
import type { Delivery } from "../core/broker.ts";
import { textHeader } from "../core/provenance.ts";
import type { Header, OutgoingRecord } from "../core/record.ts";
import { openTelemetry } from "../opentelemetry/index.ts";

const fromRequest: TextMapGetter<IncomingHttpHeaders> = {
  keys: (headers) => Object.keys(headers),
  get: (headers, name) => headers[name],
};

/**
 * The trace that a request belongs to, as headers of the record that it becomes: that of the active span when an instrumentation made one, else what
 * the request's own headers name. None without a propagator: nothing is registered then.
 */
export function traceHeaders(headers: IncomingHttpHeaders): readonly Header[] {
  const active = context.active();
  const carrier: Record<string, string> = {};
  const from = trace.getSpan(active) === undefined ? propagation.extract(active, headers, fromRequest) : active;
  propagation.inject(from, carrier);
  return Object.entries(carrier).map(([name, value]) => textHeader(name, value));
}

/** Writes a request in a span below the one that its headers name. Errors: those of `write`. */
export async function sending(
  broker: string,
  record: OutgoingRecord,
  write: (record: OutgoingRecord) => Promise<void>,
): Promise<void> {
  const tracing = openTelemetry();
  await (tracing === undefined ? write(record) : tracing.send(record, broker, write));
}

/** Takes an answer in, in a span below the one that its headers name. */
export function receiving(broker: string, groupId: string, delivery: Delivery, take: () => void): void {
  const span = openTelemetry()?.process(delivery, broker, groupId);
  take();
  span?.end();
}
