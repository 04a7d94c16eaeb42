/** What an error of kafkajs says about itself, at its root. */
export interface RootCause {
  readonly name: string;
  readonly message: string;
  /** Kafka's name of a protocol error: `MESSAGE_TOO_LARGE`. */
  readonly type?: string;
  /** Node's code of a system error, or Kafka's number of a protocol error. */
  readonly code?: string | number;
}

/**
 * What can be done about an error.
 *
 * `poison`: the record itself is refused, for ever. `fatal`: nothing helps but a change of configuration or rights.
 * `reinit`: a new producer at once. `retry`: the same later.
 */
export type ErrorClass = "poison" | "fatal" | "reinit" | "retry";

/** The innermost error: kafkajs wraps ones that can be retried in ones that say they can't. */
export function rootCause(error: unknown): RootCause {
  let root = error;
  // Bounded, as a chain may end in itself.
  for (let depth = 0; depth < 16; depth += 1) {
    const next = innerOf(root);
    if (next === undefined) break;
    root = next;
  }
  if (typeof root !== "object" || root === null) return { name: "Error", message: String(root) };
  const { name, message, type, code } = root as { readonly [key in keyof RootCause]?: unknown };
  return {
    name: typeof name === "string" ? name : "Error",
    message: typeof message === "string" ? message : "no message",
    ...(typeof type === "string" && { type }),
    ...((typeof code === "string" || typeof code === "number") && { code }),
  };
}

/** What can be done about an error of kafkajs, by its root cause. */
export function classify(error: unknown): ErrorClass {
  const { name, type = "" } = rootCause(error);
  if (poison.has(type) || poison.has(name)) return "poison";
  if (fatal.has(type) || fatal.has(name)) return "fatal";
  if (reinit.has(type) || reinit.has(name)) return "reinit";
  return "retry";
}

const poison: ReadonlySet<string> = new Set([
  "MESSAGE_TOO_LARGE",
  "RECORD_LIST_TOO_LARGE",
  "INVALID_RECORD",
  "UNSUPPORTED_FOR_MESSAGE_FORMAT",
  "TypeError",
]);

const fatal: ReadonlySet<string> = new Set([
  "TOPIC_AUTHORIZATION_FAILED",
  "GROUP_AUTHORIZATION_FAILED",
  "CLUSTER_AUTHORIZATION_FAILED",
  "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
  "SASL_AUTHENTICATION_FAILED",
  "UNSUPPORTED_SASL_MECHANISM",
  "ILLEGAL_SASL_STATE",
  "INVALID_TOPIC_EXCEPTION",
  "UNSUPPORTED_VERSION",
  "UNSUPPORTED_COMPRESSION_TYPE",
  "KafkaJSSASLAuthenticationError",
  "KafkaJSServerDoesNotSupportApiKey",
  "KafkaJSNotImplemented",
]);

const reinit: ReadonlySet<string> = new Set([
  "OUT_OF_ORDER_SEQUENCE_NUMBER",
  "UNKNOWN_PRODUCER_ID",
  "DUPLICATE_SEQUENCE_NUMBER",
  "INVALID_PRODUCER_EPOCH",
  "KafkaJSLockTimeout",
]);

function innerOf(error: unknown): unknown {
  if (typeof error !== "object" || error === null) return undefined;
  const { cause, originalError } = error as { readonly cause?: unknown; readonly originalError?: unknown };
  const inner = cause ?? originalError;
  return inner === error || inner === null ? undefined : inner;
}
