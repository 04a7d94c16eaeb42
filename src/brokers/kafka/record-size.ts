import type { Headers } from "../../core/record.ts";

/** What a batch of one record adds to key, value and headers, bytes. Source: record batch v2, 61 bytes of batch and lengths in varints. */
export const RECORD_OVERHEAD = 70;

/** What the lengths of one header take at most, bytes. Source: two varints of a length below 2 MiB. */
export const HEADER_OVERHEAD = 8;

/** Names and values, bytes. */
export function headerBytes(headers: Headers): number {
  let bytes = 0;
  for (const [name, value] of headers) bytes += Buffer.byteLength(name) + value.length;
  return bytes;
}
