import type { FastifyReply } from "fastify";
import { z } from "zod";
import type { Desk } from "../desk.ts";
import { Problem, problemSchema } from "../problems.ts";
import type { Run } from "../run.ts";
import { traceHeaders } from "../tracing.ts";
import {
  acceptedSchema,
  runSchema,
  runSummarySchema,
  summaryOf,
  viewOf,
  type Accepted,
  type RunView,
} from "../views.ts";
import { maxBodyBytes, type Routes } from "./routes.ts";

/** Longest wait for an answer within one request, milliseconds. */
const maxWaitMs = 60_000;

/** `5s`, `500ms`, or a number of seconds. */
const duration = z
  .string()
  .regex(/^\d+(\.\d+)?(ms|s)?$/, "expected a duration like 5s or 500ms")
  .transform((text) => (text.endsWith("ms") ? Number.parseFloat(text) : Number.parseFloat(text) * 1_000))
  .pipe(z.number().max(maxWaitMs, "expected at most 60s"));

export const waitSchema: z.ZodObject<{ wait: z.ZodOptional<z.ZodType<number>> }> = z.object({
  wait: duration.optional().describe("how long to wait for the answer: 5s"),
});

const bodySchema = z.object({
  broker: z.string().optional().describe("where to; the first that is served if absent"),
  start_idx: z.number().int().min(0).describe("first image"),
  end_idx: z.number().int().min(1).describe("image after the last"),
});

const pageSchema = z.object({
  limit: z.coerce.number().int().min(1).max(1_000).default(50),
  before: z.coerce.number().int().min(1).optional().describe("only runs older than this one; stands in `next`"),
});

/** Runs: start one, read one, list them. */
export function runRoutes(desk: Desk): Routes {
  return (app, prefix) => {
    app.post(
      "/runs",
      {
        config: { starts: true },
        bodyLimit: maxBodyBytes,
        schema: {
          tags: ["runs"],
          summary: "Classify a range of images",
          body: bodySchema,
          querystring: waitSchema,
          response: { 200: runSchema, 202: acceptedSchema, default: problemSchema },
        },
      },
      async ({ body, query, headers }, reply) => {
        const { broker, start_idx: start, end_idx: end } = body;
        const run = await desk.start(broker, { start, end }, traceHeaders(headers));
        return answer(desk, run, query.wait, reply, prefix);
      },
    );

    app.get(
      "/runs/:id",
      {
        schema: {
          tags: ["runs"],
          summary: "One run, with its answers",
          params: z.object({ id: z.string() }),
          querystring: waitSchema,
          response: { 200: runSchema, default: problemSchema },
        },
      },
      async ({ params, query }) => {
        const run = desk.runs.find(params.id);
        if (run === undefined) throw new Problem(404, "No such run", `run ${params.id} is not known here`);
        await desk.runs.whenFinished(run, query.wait ?? 0);
        return viewOf(run);
      },
    );

    app.get(
      "/runs",
      {
        schema: {
          tags: ["runs"],
          summary: "Runs, newest first",
          querystring: pageSchema,
          response: {
            200: z.object({
              runs: z.array(runSummarySchema),
              next: z.string().nullable().describe("path of the next page"),
            }),
            default: problemSchema,
          },
        },
      },
      ({ query: { limit, before } }) => {
        const older = desk.runs.list(before);
        const page = older.slice(0, limit);
        const last = older.length > limit ? page.at(-1) : undefined;
        const next = last === undefined ? null : `${prefix}/runs?limit=${limit}&before=${last.number}`;
        return { runs: page.map(summaryOf), next };
      },
    );
  };
}

/** 200 with the answers when they are waited for and come in time, else 202 and where to look. */
export async function answer(
  desk: Desk,
  run: Run,
  wait: number | undefined,
  reply: FastifyReply,
  prefix: string,
): Promise<RunView | Accepted> {
  void reply.header("location", `${prefix}/runs/${run.id}`);
  if (wait !== undefined) {
    await desk.runs.whenFinished(run, wait);
    if (run.finished) return viewOf(run);
  }
  void reply.code(202);
  return { id: run.id, status: run.status };
}
