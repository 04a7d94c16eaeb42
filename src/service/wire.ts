import { z } from "zod";
import { deadLetterHeaders } from "../runtime/dead-letters.ts";
import type { Delivery } from "../core/broker.ts";
import { messageOf } from "../core/errors.ts";
import { headerText, originOf, provenanceHeaders, textHeader } from "../core/provenance.ts";
import type { Header, OutgoingRecord } from "../core/record.ts";
import type { RunRequest, Slice } from "./run.ts";
import type { DeadLetter } from "./runs.ts";

/** Header (at Pub/Sub: attribute) that names a run; it travels from the request to the result. */
const runIdHeader = "run_id";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const resultSchema = z.object({
  start_idx: z.number().int().min(0).default(0),
  predictions: z.array(z.string()),
  scores: z.array(z.number()),
});

/** The request for a run; its key is the run's id, so that its slices come back in order. */
export function requestRecord(
  topic: string,
  id: string,
  request: RunRequest,
  headers: readonly Header[],
): OutgoingRecord {
  const value =
    request.pixels === undefined
      ? { start_idx: request.start, end_idx: request.end }
      : { pixels: Buffer.from(request.pixels).toString("base64") };
  return {
    topic,
    key: encoder.encode(id),
    value: encoder.encode(JSON.stringify(value)),
    headers: [textHeader(runIdHeader, id), ...headers],
    timestamp: Date.now(),
  };
}

/** A result, and the run that it belongs to: by its header, else by where the request stands. Throws when it is no result. */
export function readResult({ record, position }: Delivery): { readonly run: string; readonly slice: Slice } {
  const { start_idx: start, predictions, scores } = resultSchema.parse(JSON.parse(text(record.value)));
  return { run: runOf(record.headers) ?? strangerOf(record.headers, position), slice: { start, predictions, scores } };
}

export function readDeadLetter(broker: string, { record, position }: Delivery): DeadLetter {
  const header = (name: string): string => headerText(record.headers, name) ?? "";
  return {
    broker,
    run: runOf(record.headers),
    problem: { code: header(deadLetterHeaders.code), message: header(deadLetterHeaders.message) },
    node: header(deadLetterHeaders.node),
    position: originOf(record.headers, position),
    value: text(record.value).slice(0, 200),
    at: Date.now(),
  };
}

/** What a record is that is neither, for the log. */
export function whyUnreadable(cause: unknown): string {
  return cause instanceof z.ZodError ? z.prettifyError(cause) : messageOf(cause);
}

function runOf(headers: OutgoingRecord["headers"]): string | undefined {
  const id = headerText(headers, runIdHeader);
  return id !== undefined && /^[\w.:-]{1,100}$/.test(id) ? id : undefined;
}

/** `kafka:INFERENCE/0@42/0#sink` is called `kafka-INFERENCE-0-42`: all slices of one request have one name. */
function strangerOf(headers: OutgoingRecord["headers"], position: string): string {
  const id = headerText(headers, provenanceHeaders.id) ?? position;
  const origin = /^[^@]*@[^/#]*/.exec(id)?.[0] ?? id;
  return origin.replaceAll(/[^\w.]+/g, "-").slice(0, 100);
}

function text(value: Uint8Array | null): string {
  return decoder.decode(value ?? undefined);
}
