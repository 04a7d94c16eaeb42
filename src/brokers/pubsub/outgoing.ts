import type { EncodedMessage } from "./attributes.ts";

/** A message on its way to the service. */
export interface Outgoing {
  readonly topic: string;
  readonly message: EncodedMessage;
  /** The delivery that caused it, for errors. */
  readonly position: string;
  readonly sizeBytes: number;
  /** When it was given up for publishing, milliseconds of the scheduler. */
  readonly since: number;
  /** Called once; without an error the service has it. */
  readonly finish: (error?: Error) => void;
}
