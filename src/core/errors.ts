/** Every code that an error of this library can bear; `ERRORS.md` explains each. */
export const errorCodes = [
  "ERR_CONFIG",
  "ERR_DECODE",
  "ERR_PROCESS",
  "ERR_INFERENCE",
  "ERR_ENGINE",
  "ERR_BROKER",
  "ERR_PUBLISH",
  "ERR_STOPPED",
] as const;

export type ErrorCode = (typeof errorCodes)[number];

/**
 * The base of all errors that this library throws or reports: branch on `code`, show `message`, log `cause`.
 *
 * `retryable` says whether the same call may succeed later without a change on the caller's side.
 */
export abstract class StreamsError extends Error {
  abstract readonly code: ErrorCode;
  abstract readonly retryable: boolean;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** An option, a topology or a combination of both that can't work: found before anything runs. */
export class ConfigError extends StreamsError {
  readonly code = "ERR_CONFIG";
  readonly retryable = false;
}

/** Bytes that a serde or a schema refused. `position` is where they came from: `kafka:INFERENCE/0@42`. */
export class DecodeError extends StreamsError {
  readonly code = "ERR_DECODE";
  readonly retryable = false;
  readonly position: string;

  constructor(message: string, position: string, options?: ErrorOptions) {
    super(`${message} (at ${position})`, options);
    this.position = position;
  }
}

/** A user's callback threw or rejected; `cause` is what it threw. `position` is the record it was given. */
export class ProcessError extends StreamsError {
  readonly code = "ERR_PROCESS";
  readonly retryable = false;
  readonly position: string;

  constructor(message: string, position: string, options?: ErrorOptions) {
    super(`${message} (at ${position})`, options);
    this.position = position;
  }
}

/** A model refused its input, or is itself wrong: `shape` is the shape that was given, when that is the reason. */
export class InferenceError extends StreamsError {
  readonly code = "ERR_INFERENCE";
  readonly retryable = false;
  readonly shape: readonly number[] | undefined;

  constructor(message: string, options?: ErrorOptions & { readonly shape?: readonly number[] }) {
    super(message, options);
    this.shape = options?.shape;
  }
}

/** What executes the model crashed or hangs; the same batch may succeed on a new worker. */
export class EngineError extends StreamsError {
  readonly code = "ERR_ENGINE";
  readonly retryable = true;
}

/** A broker can't be reached or answered with an error. `broker` is the driver's name: `kafka`. */
export class BrokerError extends StreamsError {
  readonly code = "ERR_BROKER";
  readonly retryable = true;
  readonly broker: string;

  constructor(message: string, broker: string, options?: ErrorOptions) {
    super(message, options);
    this.broker = broker;
  }
}

/**
 * A record that could not be written. `position` is the delivery that caused it.
 *
 * `retryable` is false when the record itself is the reason (too large, refused by the broker for ever).
 */
export class PublishError extends StreamsError {
  readonly code = "ERR_PUBLISH";
  readonly retryable: boolean;
  readonly position: string;

  constructor(message: string, position: string, options?: ErrorOptions & { readonly retryable?: boolean }) {
    super(`${message} (at ${position})`, options);
    this.position = position;
    this.retryable = options?.retryable ?? true;
  }
}

/** The call came after `close()`, or was cut short by it. */
export class StoppedError extends StreamsError {
  readonly code = "ERR_STOPPED";
  readonly retryable = false;
}

/** The code of anything that can be thrown; `ERR_PROCESS` for what is not of this library: it came out of a callback. */
export function codeOf(cause: unknown): ErrorCode {
  return cause instanceof StreamsError ? cause.code : "ERR_PROCESS";
}

/** The message of anything that can be thrown. */
export function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
