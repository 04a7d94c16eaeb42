import { codeOf, messageOf } from "../core/errors.ts";
import type { DeliveryLineage } from "../core/lineage.ts";
import { originOf, provenanceHeaders, textHeader, withHeaders } from "../core/provenance.ts";
import type { OutgoingRecord } from "../core/record.ts";

/** Names of the headers of a dead letter. */
export const deadLetterHeaders = {
  /** The error's code: `ERR_DECODE`. */
  code: "millrace.error.code",
  message: "millrace.error.message",
  /** The node that it struck. */
  node: "millrace.error.node",
  /** Topic that the record came from: where a replay sends it. */
  topic: "millrace.error.topic",
  position: "millrace.error.position",
  /** Which delivery of the record it was, from 1. */
  attempt: "millrace.error.attempt",
  /** Paths of the records of this delivery that failed, comma-separated: `/3,/7`; empty when it was the delivery's own record. */
  path: "millrace.error.path",
} as const;

/** The dead letters of a delivery: the source's original bytes and key, its headers, and what went wrong. One per failing node. */
export function deadLettersOf({ delivery, failures }: DeliveryLineage, topic: string): OutgoingRecord[] {
  const { record, position, attempt } = delivery;
  return [...(failures?.values() ?? [])].map((failure) => ({
    topic,
    key: record.key,
    value: record.value,
    timestamp: record.timestamp,
    headers: withHeaders(record.headers, [
      textHeader(deadLetterHeaders.code, codeOf(failure.error)),
      textHeader(deadLetterHeaders.message, messageOf(failure.error)),
      textHeader(deadLetterHeaders.node, failure.node),
      textHeader(deadLetterHeaders.topic, record.topic),
      textHeader(deadLetterHeaders.position, position),
      textHeader(deadLetterHeaders.attempt, String(attempt)),
      textHeader(deadLetterHeaders.path, failure.paths.join(",")),
      textHeader(provenanceHeaders.origin, originOf(record.headers, position)),
    ]),
  }));
}
