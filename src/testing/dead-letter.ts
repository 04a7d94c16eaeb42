import { headerText } from "../core/provenance.ts";
import type { Position, RawRecord } from "../core/record.ts";
import { deadLetterHeaders } from "../runtime/dead-letters.ts";

/** A dead letter, decoded. */
export interface DeadLetter {
  readonly error: {
    /** `ERR_DECODE` */
    readonly code: string;
    readonly message: string;
    /** The node that it struck. */
    readonly node: string;
    readonly position: Position;
    /** Which delivery of the record it was, from 1. */
    readonly attempt: number;
    /** Paths of the records of the delivery that failed, comma-separated; empty when it was the delivery's own. */
    readonly path: string;
  };
  /** As it was written: the source's key, value and headers, and the error's. */
  readonly record: RawRecord;
}

export function deadLetterOf(record: RawRecord): DeadLetter {
  const text = (name: string): string => headerText(record.headers, name) ?? "";
  return {
    error: {
      code: text(deadLetterHeaders.code),
      message: text(deadLetterHeaders.message),
      node: text(deadLetterHeaders.node),
      position: text(deadLetterHeaders.position),
      attempt: Number(text(deadLetterHeaders.attempt)),
      path: text(deadLetterHeaders.path),
    },
    record,
  };
}
