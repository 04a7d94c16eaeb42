import { messageOf } from "../../core/errors.ts";

/** Codes of gRPC that this driver tells apart. Source: grpc.github.io/grpc/core, status codes. */
export const status = {
  cancelled: 1,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

const transient: ReadonlySet<unknown> = new Set([
  status.cancelled,
  status.deadlineExceeded,
  status.resourceExhausted,
  status.aborted,
  status.internal,
  status.unavailable,
]);

/** The code of gRPC that an error bears, its own or its cause's. */
export function codeOf(error: unknown): number | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  if ("code" in error && typeof error.code === "number") return error.code;
  return "cause" in error ? codeOf(error.cause) : undefined;
}

/** The same call may succeed later. An error without a code comes from the connection. */
export function isTransient(error: unknown): boolean {
  const code = codeOf(error);
  return code === undefined ? !(error instanceof TypeError) : transient.has(code);
}

/** The account lacks a right, or is not known. */
export function isDenied(error: unknown): boolean {
  const code = codeOf(error);
  return code === status.permissionDenied || code === status.unauthenticated;
}

export function isMissing(error: unknown): boolean {
  return codeOf(error) === status.notFound;
}

/** What an error says, in one line. */
export function reasonOf(error: unknown): string {
  return messageOf(error).split("\n", 1)[0] ?? "";
}
