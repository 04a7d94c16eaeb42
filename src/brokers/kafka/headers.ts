import type { IHeaders, KafkaMessage } from "kafkajs";
import type { Headers } from "../../core/record.ts";
import { orderedHeaders } from "./kafkajs-fixes.ts";

/** The headers of a message that was read, in the order in which they were written; in kafkajs' order when its decoder isn't mended. */
export function headersOf(message: KafkaMessage): Headers {
  // The mended decoder sets it; see `applyKafkajsFixes`.
  const { [orderedHeaders]: ordered } = message as { readonly [orderedHeaders]?: Headers };
  return ordered ?? fromObject(message.headers ?? {});
}

/** What kafkajs writes as headers, in this order, with repeated names. */
export function kafkajsHeaders(headers: Headers): IHeaders {
  return headers.length === 0 ? none : { ordered: new OrderedHeaders(headers) };
}

const none: IHeaders = {};

/**
 * Passes for the values of one header name, and gives kafkajs' encoder all headers instead.
 *
 * The encoder (`protocol/recordBatch/record/v0`) makes its list of `{ key, value }` by `headers[name].map(…)`. An object of names
 * can't hold [a, b, a], and puts names that look like integers first.
 */
class OrderedHeaders extends Array<Buffer> {
  private readonly list: Headers;

  constructor(list: Headers) {
    super();
    this.list = list;
  }

  // The encoder takes what this gives as it is; no type of `map` says so.
  override map<U>(): U[] {
    return this.list.map(([key, value]) => ({ key, value: asBuffer(value) })) as U[];
  }
}

/** The same bytes as a Buffer, without a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function fromObject(headers: IHeaders): Headers {
  return Object.entries(headers).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((one) => [name, Buffer.from(one ?? "")] as const),
  );
}
