import { PublishError } from "../../core/errors.ts";
import type { Header, OutgoingRecord, RawRecord } from "../../core/record.ts";
import type { Attributes } from "./filter.ts";

/** A record in Pub/Sub's words. */
export interface EncodedMessage {
  readonly data: Uint8Array;
  readonly attributes: Record<string, string>;
  readonly orderingKey?: string;
}

/** What is read of a message. */
export interface ReceivedMessage {
  readonly data: Uint8Array;
  readonly attributes: Attributes;
  readonly orderingKey?: string;
  readonly publishTime: { getTime(): number };
}

export interface EncodingOptions {
  readonly ordering: boolean;
  /** Largest message, bytes. */
  readonly maxRecordBytes: number;
  /** The delivery that caused the record, for errors. */
  readonly position: string;
}

/** The attribute that has the key where the ordering key can't. */
const keyAttribute = "millrace-key";
/** The attribute that has the record's time, milliseconds since the epoch; without it the time of publishing counts. */
const timestampAttribute = "millrace-timestamp";
/** The attribute of a record whose value is null: Pub/Sub itself knows empty data only. */
const nullAttribute = "millrace-null-value";
/** Begins an attribute or ordering key whose bytes are not UTF-8, or begin like this: the rest is base64. */
const base64Prefix = "millrace-base64:";

/** Begins the names of headers that tell why a record is a dead letter. */
const errorPrefix = "millrace.error.";

const own: ReadonlySet<string> = new Set([keyAttribute, timestampAttribute, nullAttribute]);

/** Pub/Sub's limits for attributes and ordering keys. Source: cloud.google.com/pubsub/quotas, resource limits. */
const limits = { attributes: 100, nameBytes: 256, valueBytes: 1024, orderingKeyBytes: 1024 } as const;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * A record as a message: value as data, headers as attributes (the last of each name), the key as ordering key or attribute.
 *
 * Errors: `ERR_PUBLISH`, not retryable, when a limit of Pub/Sub is passed.
 */
export function encodeMessage(record: OutgoingRecord, options: EncodingOptions): EncodedMessage {
  const refused = (what: string): PublishError =>
    new PublishError(`a record for ${record.topic} ${what}`, options.position, { retryable: false });
  const attributes: Record<string, string> = {};
  for (const [name, value] of record.headers) if (!own.has(name)) attributes[name] = textOf(shortened(name, value));
  attributes[timestampAttribute] = String(record.timestamp);
  if (record.value === null) attributes[nullAttribute] = "true";
  const key = record.key === null ? undefined : textOf(record.key);
  const ordered =
    options.ordering && key !== undefined && key !== "" && Buffer.byteLength(key) <= limits.orderingKeyBytes;
  if (key !== undefined && !ordered) attributes[keyAttribute] = key;
  const data = record.value ?? new Uint8Array();
  const size = data.length + (ordered ? Buffer.byteLength(key) : 0) + sizeOf(attributes, refused);
  if (size > options.maxRecordBytes) throw refused(`has ${size} bytes, at most ${options.maxRecordBytes} are taken`);
  return ordered ? { data, attributes, orderingKey: key } : { data, attributes };
}

/** A message as a record of this topic. Never fails: foreign attributes become headers as they are. */
export function decodeMessage(message: ReceivedMessage, topic: string): RawRecord {
  const { attributes, orderingKey } = message;
  const headers: Header[] = [];
  for (const name in attributes) {
    if (!own.has(name)) headers.push([name, bytesOf(attributes[name] ?? "")]);
  }
  const key = attributes[keyAttribute] ?? (orderingKey || undefined);
  const written = attributes[timestampAttribute];
  const timestamp = written !== undefined && /^-?\d+(\.\d+)?$/.test(written) ? Number(written) : undefined;
  return {
    topic,
    key: key === undefined ? null : bytesOf(key),
    value: attributes[nullAttribute] === "true" && message.data.length === 0 ? null : message.data,
    headers,
    timestamp: timestamp ?? message.publishTime.getTime(),
  };
}

/** What went wrong may be told at any length, and a dead letter must be writable: it is cut, on the boundary of a character. */
function shortened(name: string, value: Uint8Array): Uint8Array {
  if (!name.startsWith(errorPrefix) || value.length <= limits.valueBytes) return value;
  let end = limits.valueBytes;
  while (end > 0 && ((value[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return value.subarray(0, end);
}

function sizeOf(attributes: Attributes, refused: (what: string) => PublishError): number {
  const names = Object.keys(attributes);
  if (names.length > limits.attributes)
    throw refused(`has ${names.length} attributes, Pub/Sub takes ${limits.attributes}`);
  let size = 0;
  for (const name of names) {
    const nameBytes = Buffer.byteLength(name);
    const valueBytes = Buffer.byteLength(attributes[name] ?? "");
    if (nameBytes === 0) throw refused("has a header without a name, which Pub/Sub does not take");
    if (nameBytes > limits.nameBytes)
      throw refused(`has a header's name of ${nameBytes} bytes, Pub/Sub takes ${limits.nameBytes}`);
    if (valueBytes > limits.valueBytes)
      throw refused(`needs ${valueBytes} bytes for attribute ${name}, Pub/Sub takes ${limits.valueBytes}`);
    size += nameBytes + valueBytes;
  }
  return size;
}

function textOf(bytes: Uint8Array): string {
  try {
    const text = decoder.decode(bytes);
    if (!text.startsWith(base64Prefix)) return text;
  } catch {
    // Not UTF-8.
  }
  return base64Prefix + Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

function bytesOf(text: string): Uint8Array {
  if (!text.startsWith(base64Prefix)) return encoder.encode(text);
  return new Uint8Array(Buffer.from(text.slice(base64Prefix.length), "base64"));
}
