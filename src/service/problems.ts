import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { hasZodFastifySchemaValidationErrors } from "fastify-type-provider-zod";
import { z } from "zod";
import { StreamsError, messageOf } from "../core/errors.ts";

/** An answer that is an error, as RFC 9457 writes it: `application/problem+json`. */
export class Problem extends Error {
  readonly status: number;
  readonly title: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly more: Readonly<Record<string, unknown>>;

  constructor(
    status: number,
    title: string,
    detail: string,
    options: {
      readonly headers?: Readonly<Record<string, string | string[]>>;
      readonly more?: Readonly<Record<string, unknown>>;
    } = {},
  ) {
    super(detail);
    this.status = status;
    this.title = title;
    this.headers = options.headers ?? {};
    this.more = options.more ?? {};
  }
}

/** The body of such an answer. */
interface ProblemBody {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly errors?: readonly { readonly at: string; readonly message: string }[] | undefined;
}

// No `id` here: it would be that of all zod schemas of the process, the user's too.
export const problemSchema: z.ZodType<ProblemBody> = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    errors: z.array(z.object({ at: z.string(), message: z.string() })).optional(),
  })
  .describe("application/problem+json, RFC 9457");

/** Every error of a route ends here, and only here. */
export function answerProblem(cause: FastifyError | Error, request: FastifyRequest, reply: FastifyReply): void {
  const problem = asProblem(cause, request);
  if (problem.status >= 500) request.log.warn({ err: cause }, `${problem.title}: ${problem.message}`);
  void reply
    .headers(problem.headers)
    .code(problem.status)
    .type("application/problem+json")
    .serializer(JSON.stringify)
    .send({
      type: "about:blank",
      title: problem.title,
      status: problem.status,
      detail: problem.message,
      ...problem.more,
    });
}

function asProblem(cause: FastifyError | Error, { headers }: FastifyRequest): Problem {
  if (cause instanceof Problem) return cause;
  if (hasZodFastifySchemaValidationErrors(cause)) {
    const { validation, validationContext = "request" } = cause;
    const errors = validation.map(({ instancePath, message }) => ({
      at: instancePath.replace(/^\//, "").replaceAll("/", ".") || validationContext,
      message: message ?? "is wrong",
    }));
    const detail = errors.map(({ at, message }) => `${at}: ${message}`).join("; ");
    return new Problem(400, "The request is not valid", detail, { more: { errors } });
  }
  if (cause instanceof StreamsError) return ofStreamsError(cause);
  const status = "statusCode" in cause && typeof cause.statusCode === "number" ? cause.statusCode : 500;
  if (status >= 500) return new Problem(status, "Something went wrong here", "see the log of the service");
  if (status === 415) {
    const type = headers["content-type"];
    return new Problem(
      415,
      "Not a type that is read here",
      type === undefined ? "content-type is missing" : `content-type: ${type}`,
    );
  }
  return new Problem(status, "The request can't be answered", messageOf(cause));
}

/** What the broker answered: it refuses this record, or is away for now. */
function ofStreamsError(cause: StreamsError): Problem {
  if (cause.code === "ERR_PUBLISH" && !cause.retryable) {
    return new Problem(422, "The broker refuses the request", cause.message);
  }
  return new Problem(503, "The broker can't be reached", cause.message, { headers: { "retry-after": "5" } });
}
