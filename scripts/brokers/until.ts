import { setTimeout as sleep } from "node:timers/promises";

/** What is waited for, and how long. */
export interface Wait {
  /** For the error: `Kafka's answer`. */
  readonly what: string | (() => string);
  /** Longest wait, milliseconds. @default 60_000 */
  readonly ms?: number;
  /** Time between two questions, milliseconds. @default 25 */
  readonly everyMs?: number;
}

/** Asks until the answer is yes. Rejects when the time is over, and names what it waited for. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  { what, ms = 60_000, everyMs = 25 }: Wait,
): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await condition())) {
    if (performance.now() > deadline)
      throw new Error(`waited ${ms} ms for ${typeof what === "string" ? what : what()}`);
    await sleep(everyMs);
  }
}
