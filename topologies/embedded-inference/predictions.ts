import { labels, type Classification } from "millrace/model";
import { z } from "zod";
import type { Range } from "./ranges.ts";

/** A result on the wire: the labels of the images `start_idx` up to, and without, `end_idx`, and the network's confidence in each, 0..1. */
export const predictionSchema: z.ZodObject<{
  start_idx: z.ZodNumber;
  end_idx: z.ZodNumber;
  predictions: z.ZodArray<z.ZodString>;
  scores: z.ZodArray<z.ZodNumber>;
}> = z.object({
  start_idx: z.number(),
  end_idx: z.number(),
  predictions: z.array(z.string()),
  scores: z.array(z.number()),
});

export type Prediction = z.infer<typeof predictionSchema>;

/** Class indices become labels; scores are rounded to four decimals. */
export function toPrediction({ start, end }: Range, { classes, scores }: Classification): Prediction {
  return {
    start_idx: start,
    end_idx: end,
    predictions: Array.from(classes, (index) => labels[index] ?? String(index)),
    scores: Array.from(scores, (score) => Math.round(score * 10_000) / 10_000),
  };
}

/** `[2026-11-23 18:00:00] Model Inference [0 - 10]`, and the labels on the next line. @param at milliseconds since the epoch; shown in local time */
export function predictionLines({ start_idx, end_idx, predictions }: Prediction, at: number): string {
  return `[${localTime(at)}] Model Inference [${start_idx} - ${end_idx}]\n${predictions.join(", ")}`;
}

function localTime(at: number): string {
  const date = new Date(at);
  const two = (value: number): string => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
