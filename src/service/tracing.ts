import { context, propagation } from "@opentelemetry/api";
import type { IncomingHttpHeaders } from "node:http";
import { textHeader } from "../core/provenance.ts";
import type { Header } from "../core/record.ts";

/** The trace that a request belongs to, as headers of the record that it becomes. None without a propagator: nothing is registered then. */
export function traceHeaders(_headers: IncomingHttpHeaders): readonly Header[] {
  const carrier: Record<string, string> = {};
  propagation.inject(context.active(), carrier);
  return Object.entries(carrier).map(([name, value]) => textHeader(name, value));
}
