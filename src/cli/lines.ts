import { createInterface } from "node:readline";

/** Lines of standard input until its end, or until `stopped` aborts. */
export async function* inputLines(stopped: AbortSignal): AsyncGenerator<string> {
  if (stopped.aborted) return;
  const lines = createInterface({ input: process.stdin });
  const close = (): void => lines.close();
  stopped.addEventListener("abort", close, { once: true });
  try {
    yield* lines;
  } finally {
    stopped.removeEventListener("abort", close);
    lines.close();
    process.stdin.destroy(); // an open terminal would keep the process alive
  }
}
