import type { Header, Headers, Position } from "./record.ts";

/** Names of the headers that the library writes. */
export const provenanceHeaders = {
  /** Which record this is, the same each time it is made: `<origin position><path>#<sink>`. */
  id: "millrace-id",
  /** Position that a replayed dead letter had first; it stands in the id instead of the new one. */
  origin: "millrace-origin",
  /** `name@<first 12 digits of the SHA-256>` of the model that answered. */
  model: "millrace-model",
  /** The engine that executed it. */
  engine: "millrace-engine",
} as const;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function textHeader(name: string, value: string): Header {
  return [name, encoder.encode(value)];
}

/** Text of the last header of that name; undefined without one. */
export function headerText(headers: Headers, name: string): string | undefined {
  const header = headers.findLast(([key]) => key === name);
  return header === undefined ? undefined : decoder.decode(header[1]);
}

/** Replaces headers of the same names and appends. */
export function withHeaders(headers: Headers, added: Headers): Headers {
  if (headers.length === 0) return added;
  return [...headers.filter(([name]) => !added.some(([other]) => other === name)), ...added];
}

/** The position that identifies the record in a `millrace-id`. */
export function originOf(headers: Headers, position: Position): Position {
  return headers.length === 0 ? position : (headerText(headers, provenanceHeaders.origin) ?? position);
}
