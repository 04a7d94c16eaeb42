import { setTimeout as sleep } from "node:timers/promises";

/** Asks until the answer is yes. Rejects after `ms` milliseconds, and names what it waited for. */
export async function until(
  condition: () => Promise<boolean>,
  {
    what,
    ms,
    everyMs = 25,
  }: { readonly what: string | (() => string); readonly ms: number; readonly everyMs?: number },
): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await condition())) {
    if (performance.now() > deadline)
      throw new Error(`waited ${ms} ms for ${typeof what === "string" ? what : what()}`);
    await sleep(everyMs);
  }
}
