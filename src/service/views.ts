import { z } from "zod";
import type { Run, RunStatus } from "./run.ts";
import type { DeadLetter } from "./runs.ts";

interface ErrorView {
  readonly code: string;
  readonly message: string;
}

/** A run without its answers, as it is sent. */
export interface RunSummary {
  readonly id: string;
  readonly broker: string;
  readonly status: RunStatus;
  readonly start_idx: number;
  readonly end_idx: number;
  readonly done: number;
  readonly picture: boolean;
  readonly created_at: string;
  readonly finished_at: string | null;
  readonly error: ErrorView | null;
}

export interface RunView extends RunSummary {
  readonly predictions: readonly (string | null)[];
  readonly scores: readonly (number | null)[];
  readonly pixels: string | null;
}

/** A run that was accepted. */
export interface Accepted {
  readonly id: string;
  readonly status: RunStatus;
}

export interface DeadLetterView {
  readonly broker: string;
  readonly run: string | null;
  readonly error: ErrorView;
  readonly node: string;
  readonly position: string;
  readonly value: string;
  readonly at: string;
}

const status = z.enum(["queued", "running", "done", "failed"]);

const summaryShape = {
  id: z.string(),
  broker: z.string(),
  status,
  start_idx: z.number().int().describe("first image"),
  end_idx: z.number().int().describe("image after the last"),
  done: z.number().int().describe("images whose label is known"),
  picture: z.boolean().describe("a picture that came with the request, not a range"),
  created_at: z.iso.datetime(),
  finished_at: z.iso.datetime().nullable(),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
};

export const runSummarySchema: z.ZodType<RunSummary> = z.object(summaryShape);

export const runSchema: z.ZodType<RunView> = z.object({
  ...summaryShape,
  predictions: z.array(z.string().nullable()).describe("labels by image; null where not known yet"),
  scores: z.array(z.number().nullable()).describe("confidence in each, 0..1"),
  pixels: z.base64().nullable().describe("grey values of an uploaded picture, as the network got them"),
});

export const acceptedSchema: z.ZodType<Accepted> = z.object({ id: z.string(), status });

export function summaryOf(run: Run): RunSummary {
  return {
    id: run.id,
    broker: run.broker,
    status: run.status,
    start_idx: run.start,
    end_idx: run.end,
    done: run.done,
    picture: run.pixels !== undefined,
    created_at: new Date(run.createdAt).toISOString(),
    finished_at: run.finishedAt === undefined ? null : new Date(run.finishedAt).toISOString(),
    error: run.problem ?? null,
  };
}

export function viewOf(run: Run): RunView {
  return {
    ...summaryOf(run),
    predictions: Array.from({ length: run.total }, (_, image) => run.predictions[image] ?? null),
    scores: Array.from({ length: run.total }, (_, image) => run.scores[image] ?? null),
    pixels: run.pixels === undefined ? null : Buffer.from(run.pixels).toString("base64"),
  };
}

export function letterOf({ run, problem, at, ...letter }: DeadLetter): DeadLetterView {
  return { ...letter, run: run ?? null, error: problem, at: new Date(at).toISOString() };
}
