import { propagation, ROOT_CONTEXT, type Context, type TextMapGetter } from "@opentelemetry/api";
import { headerText, textHeader } from "../core/provenance.ts";
import type { Headers } from "../core/record.ts";

const fromHeaders: TextMapGetter<Headers> = {
  keys: (headers) => headers.map(([name]) => name),
  get: (headers, name) => headerText(headers, name),
};

/** The context that headers name; the root's where they name none. */
export function contextOf(headers: Headers): Context {
  return propagation.extract(ROOT_CONTEXT, headers, fromHeaders);
}

/** Headers that name this context, instead of the one that they named before. */
export function carrying(headers: Headers, context: Context): Headers {
  const carrier: Record<string, string> = {};
  propagation.inject(context, carrier);
  const fields = propagation.fields();
  const others = headers.filter(([name]) => !fields.includes(name));
  return [...others, ...Object.entries(carrier).map(([name, value]) => textHeader(name, value))];
}
