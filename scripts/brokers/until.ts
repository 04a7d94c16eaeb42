import { setTimeout as sleep } from "node:timers/promises";

/** Asks every 100 ms until the answer is yes. Rejects after `ms` milliseconds, and says what it waited for. */
export async function until(condition: () => boolean | Promise<boolean>, what: string, ms: number): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited ${ms} ms for ${what}`);
    await sleep(100);
  }
}
