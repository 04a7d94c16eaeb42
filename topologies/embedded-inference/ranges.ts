import { headerText, jsonSerde, type Deserializer, type Headers } from "millrace";
import { imagePixels } from "millrace/model";
import { z } from "zod";

/** Images by index: from `start` up to, and without, `end`. */
export interface Range {
  readonly start: number;
  readonly end: number;
  /** Pictures that came with the request and that the range refers to, instead of the test set: 784 grey values each. */
  readonly pixels?: Uint8Array;
}

/** Pictures that a request brings along: base64 of 784 grey values each, row by row, 0 = background. */
const picturesSchema = z
  .object({ pixels: z.base64() })
  .transform(({ pixels }) => new Uint8Array(Buffer.from(pixels, "base64")))
  .refine((pixels) => pixels.length > 0 && pixels.length % imagePixels === 0, {
    path: ["pixels"],
    error: `must be base64 of a multiple of ${imagePixels} bytes`,
  })
  .transform((pixels) => ({ start: 0, end: pixels.length / imagePixels, pixels }));

/** What requests may ask for, on the wire: pictures of their own, or a range. */
function requestSchema(images: number): z.ZodType<Range> {
  const range = rangeSchema(images);
  // Not a union: its errors would be those of both.
  return z.unknown().transform((request, context) => {
    const read = (bringsPictures(request) ? picturesSchema : range).safeParse(request);
    if (read.success) return read.data;
    for (const { path, message } of read.error.issues) context.addIssue({ code: "custom", path, message });
    return z.NEVER;
  });
}

function bringsPictures(request: unknown): boolean {
  return typeof request === "object" && request !== null && "pixels" in request;
}

/** Integers, 0 <= start_idx < end_idx <= `images`. */
function rangeSchema(images: number): z.ZodType<Range> {
  return z
    .object({ start_idx: z.number().int().min(0), end_idx: z.number().int().max(images) })
    .refine(({ start_idx, end_idx }) => start_idx < end_idx, { path: ["end_idx"], error: "must be above start_idx" })
    .transform(({ start_idx, end_idx }) => ({ start: start_idx, end: end_idx }));
}

/**
 * Reads a request: a JSON value `{"start_idx":0,"end_idx":10}`, or `{"pixels":"<base64>"}` with pictures of its own; or, when the value is empty,
 * headers (on Pub/Sub: attributes) `start_idx` and `end_idx` with numbers as text, as the publisher of the system that this replaces sends them.
 *
 * Refuses what is not JSON, pixels that are no whole pictures, and indices that are missing, not whole, reversed, or beyond `images`.
 */
export function rangeSerde(images: number): Deserializer<Range> {
  const json = jsonSerde(requestSchema(images));
  const encoder = new TextEncoder();
  return {
    deserialize: (bytes, headers, topic) => {
      if (bytes.length > 0) return plainRange(bytes, images) ?? json.deserialize(bytes, headers, topic);
      const request = { start_idx: index(headers, "start_idx"), end_idx: index(headers, "end_idx") };
      return json.deserialize(encoder.encode(JSON.stringify(request)), headers, topic);
    },
  };
}

/** The request as most clients write it, `{"start_idx":0,"end_idx":1}`, read without a parser. Undefined for all else, a wrong range included. */
function plainRange(bytes: Uint8Array, images: number): Range | undefined {
  if (bytes.length > longestPlain) return undefined;
  const match = plain.exec(decoder.decode(bytes));
  if (match === null) return undefined;
  const [start, end] = [Number(match[1]), Number(match[2])];
  return start < end && end <= images ? { start, end } : undefined;
}

const plain = /^\{"start_idx": ?(0|[1-9]\d{0,8}), ?"end_idx": ?(0|[1-9]\d{0,8})\}$/;

const longestPlain = 50;

const decoder = new TextDecoder();

/** Only digits are a number here: `Number("")` would be 0. */
function index(headers: Headers, name: string): number {
  const text = headerText(headers, name);
  if (text !== undefined && /^-?\d+$/.test(text)) return Number(text);
  const got = text === undefined ? "none" : JSON.stringify(text);
  throw new TypeError(`${name}: expected a header with a whole number as text, since the value is empty; got ${got}`);
}

/** Cuts a range into slices of at most `size` images, lazily. */
export function* sliceRange({ start, end, ...own }: Range, size: number): Generator<Range> {
  for (let from = start; from < end; from += size) yield { ...own, start: from, end: Math.min(from + size, end) };
}
