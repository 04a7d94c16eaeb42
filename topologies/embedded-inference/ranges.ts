import { headerText, jsonSerde, type Deserializer, type Headers } from "millrace";
import { z } from "zod";

/** Images by index: from `start` up to, and without, `end`. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** What requests may ask for, on the wire: integers, 0 <= start_idx < end_idx <= `images`. */
function requestSchema(images: number): z.ZodType<Range> {
  return z
    .object({ start_idx: z.number().int().min(0), end_idx: z.number().int().max(images) })
    .refine(({ start_idx, end_idx }) => start_idx < end_idx, { path: ["end_idx"], error: "must be above start_idx" })
    .transform(({ start_idx, end_idx }) => ({ start: start_idx, end: end_idx }));
}

/**
 * Reads a request: a JSON value `{"start_idx":0,"end_idx":10}`; or, when the value is empty, headers (on Pub/Sub: attributes) of these names
 * with numbers as text, as the publisher of the system that this replaces sends them.
 *
 * Refuses what is not JSON, and indices that are missing, not whole, reversed, or beyond `images`.
 */
export function rangeSerde(images: number): Deserializer<Range> {
  const json = jsonSerde(requestSchema(images));
  const encoder = new TextEncoder();
  return {
    deserialize: (bytes, headers, topic) => {
      if (bytes.length > 0) return json.deserialize(bytes, headers, topic);
      const request = { start_idx: index(headers, "start_idx"), end_idx: index(headers, "end_idx") };
      return json.deserialize(encoder.encode(JSON.stringify(request)), headers, topic);
    },
  };
}

/** Only digits are a number here: `Number("")` would be 0. */
function index(headers: Headers, name: string): number {
  const text = headerText(headers, name);
  if (text !== undefined && /^-?\d+$/.test(text)) return Number(text);
  const got = text === undefined ? "none" : JSON.stringify(text);
  throw new TypeError(`${name}: expected a header with a whole number as text, since the value is empty; got ${got}`);
}

/** Cuts a range into slices of at most `size` images, lazily. */
export function* sliceRange({ start, end }: Range, size: number): Generator<Range> {
  for (let from = start; from < end; from += size) yield { start: from, end: Math.min(from + size, end) };
}
