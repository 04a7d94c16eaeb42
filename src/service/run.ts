import { codeOf, messageOf } from "../core/errors.ts";

/** `queued`: the broker has the request. `running`: some slices are there. `done`: all are. `failed`: it will not be done. */
export type RunStatus = "queued" | "running" | "done" | "failed";

/** Why a run, or part of it, was not done. */
export interface RunProblem {
  /** The error's code: `ERR_DECODE`. */
  readonly code: string;
  readonly message: string;
}

/** What a run is asked to do: a range of images, or one picture that travels with the request. */
export type RunRequest =
  | { readonly start: number; readonly end: number; readonly pixels?: undefined }
  | { readonly pixels: Uint8Array; readonly start: 0; readonly end: 1 };

/** Labels and scores of consecutive images, as they come back on the result topic. */
export interface Slice {
  readonly start: number;
  readonly predictions: readonly string[];
  /** Confidence in each, 0..1. */
  readonly scores: readonly number[];
}

/** One request and what has come back of it. */
export class Run {
  readonly id: string;
  /** Counts the runs of this process, from 1: what is newer has a higher one. */
  number = 0;
  readonly broker: string;
  readonly pixels: Uint8Array | undefined;
  /** Of a run that was not started here, start and end are those of the results that came so far. */
  start: number;
  end: number;
  /** False for a run that was not started here: only its results are known. */
  readonly ours: boolean;
  readonly createdAt: number;
  finishedAt: number | undefined = undefined;
  problem: RunProblem | undefined = undefined;
  /** By image, from `start`; what is not known yet is undefined. */
  readonly predictions: (string | undefined)[] = [];
  readonly scores: (number | undefined)[] = [];
  private received = 0;

  constructor(id: string, broker: string, request: RunRequest, ours: boolean, now: number) {
    this.id = id;
    this.broker = broker;
    this.start = request.start;
    this.end = request.end;
    this.pixels = request.pixels;
    this.ours = ours;
    this.createdAt = now;
  }

  get total(): number {
    return this.end - this.start;
  }

  /** Images whose label is known. */
  get done(): number {
    return this.received;
  }

  get status(): RunStatus {
    if (this.received === this.total) return "done";
    if (this.problem !== undefined) return "failed";
    return this.received === 0 ? "queued" : "running";
  }

  /** True when nothing more is expected. */
  get finished(): boolean {
    return this.finishedAt !== undefined;
  }

  /** Takes in a slice. False when all of it was known: at least once, a result may come twice. */
  add({ start, predictions, scores }: Slice, now: number): boolean {
    if (!this.ours) this.widen(start, start + predictions.length);
    let fresh = 0;
    for (const [offset, prediction] of predictions.entries()) {
      const place = start - this.start + offset;
      if (place < 0 || place >= this.total || this.predictions[place] !== undefined) continue;
      this.predictions[place] = prediction;
      this.scores[place] = scores[offset] ?? 0;
      fresh += 1;
    }
    this.received += fresh;
    if (this.received === this.total) {
      this.finishedAt = now;
      this.problem = undefined; // what was repaired after all is no problem
    } else if (this.problem === undefined) this.finishedAt = undefined; // a stranger's run had ended, as far as was known
    return fresh > 0;
  }

  private widen(start: number, end: number): void {
    const before = Array.from({ length: Math.max(0, this.start - start) }, () => undefined);
    this.predictions.unshift(...before);
    this.scores.unshift(...before);
    this.start -= before.length;
    this.end = Math.max(this.end, end);
  }

  /** It will not be done; a late result may still prove the opposite. */
  fail(problem: RunProblem, now: number): void {
    if (this.status === "done") return;
    this.problem = problem;
    this.finishedAt = now;
  }
}

export function problemOf(cause: unknown): RunProblem {
  return { code: codeOf(cause), message: messageOf(cause) };
}
