import type { Headers } from "./record.ts";
import { describeIssues, type SchemaResult, type StandardSchema } from "./standard-schema.ts";

/**
 * Bytes to a value. Throw (or reject) to refuse: the runtime wraps the reason in a `DecodeError` that names the position.
 *
 * A null key never reaches it: the key is `null` then. A null value (a tombstone) is refused, unless `nullable` is set.
 */
export interface Deserializer<T> {
  readonly deserialize: (bytes: Uint8Array, headers: Headers, topic: string) => T | Promise<T>;
  readonly nullable?: boolean;
}

/** A value to bytes. Called once per record and sink. A null key is written as null without asking it. */
export interface Serializer<T> {
  readonly serialize: (value: T, headers: Headers, topic: string) => Uint8Array | Promise<Uint8Array>;
  readonly nullable?: boolean;
}

/** Both directions for one type. It may be asynchronous; order is kept. */
export interface Serde<T> extends Serializer<T>, Deserializer<T> {}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** UTF-8 text. Refuses bytes that are not UTF-8. */
export const stringSerde: Serde<string> = {
  serialize: (text) => encoder.encode(text),
  deserialize: (bytes) => decoder.decode(bytes),
};

/** The bytes themselves, not copied. */
export const bytesSerde: Serde<Uint8Array> = {
  serialize: (bytes) => bytes,
  deserialize: (bytes) => bytes,
};

const float = new Float64Array(1);
const floatBytes = new Uint8Array(float.buffer);

/** Eight bytes, IEEE 754 double, big-endian: what Kafka's `DoubleSerializer` writes. Refuses another length. */
export const numberSerde: Serde<number> = {
  serialize: (value) => {
    float[0] = value;
    const bytes = new Uint8Array(8);
    for (let index = 0; index < 8; index += 1) bytes[index] = floatBytes[7 - index] ?? 0;
    return bytes;
  },
  deserialize: (bytes) => {
    if (bytes.length !== 8) throw new RangeError(`a number is 8 bytes, got ${bytes.length}`);
    for (let index = 0; index < 8; index += 1) floatBytes[7 - index] = bytes[index] ?? 0;
    return float[0] ?? 0;
  },
};

/** JSON in UTF-8, as `JSON.parse` and `JSON.stringify` have it; nothing is checked beyond the syntax. */
export function jsonSerde(): Serde<unknown>;
/**
 * JSON in UTF-8, checked on reading by any Standard Schema (zod, valibot, arktype); its output type is the value's type.
 *
 * Writing is not checked: the compiler has done that.
 */
export function jsonSerde<Input, Output>(schema: StandardSchema<Input, Output>): Serde<Output>;
export function jsonSerde(schema?: StandardSchema): Serde<unknown> {
  return {
    serialize: (value) => {
      const text = JSON.stringify(value);
      // JSON.stringify types this away, yet gives undefined for functions and undefined itself.
      if ((text as string | undefined) === undefined) throw new TypeError(`${typeof value} is not JSON`);
      return encoder.encode(text);
    },
    deserialize: (bytes) => {
      const value: unknown = JSON.parse(decoder.decode(bytes));
      if (schema === undefined) return value;
      const result = schema["~standard"].validate(value);
      return result instanceof Promise ? result.then(valid) : valid(result);
    },
  };
}

/** Lets tombstones through as `null`, both ways. */
export function nullable<T>(serde: Serde<T>): Serde<T | null> {
  return {
    nullable: true,
    // The runtime never calls a serde with a null of its own: a null value is written as null bytes.
    serialize: (value, headers, topic) => serde.serialize(value as T, headers, topic),
    deserialize: serde.deserialize,
  };
}

function valid<T>(result: SchemaResult<T>): T {
  if (result.issues !== undefined) throw new TypeError(describeIssues(result.issues));
  return result.value;
}
