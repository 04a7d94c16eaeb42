import { lastValueFrom } from "rxjs";
import type { StreamsApp } from "../runtime/streams-app.ts";

/** How long after the drain's time the process may take to end by itself, milliseconds. */
const graceMs = 5_000;

/**
 * Keeps an app running until `input` has ended and all that it published is settled, a signal comes, or the app fails; then drains it.
 *
 * The exit code is 0 after a drain, 1 after a failure. A process that is still there some seconds after the drain's time has an engine that
 * hangs: it can't be cut off in any other way than SIGKILL, after which the broker redelivers.
 */
export async function serve(
  app: StreamsApp,
  drainMs: number,
  input: (stopped: AbortSignal) => Promise<number>,
): Promise<void> {
  const { stopped, stop, dispose } = stopSignal();
  const ended = lastValueFrom(app.states).then(stop);
  const published = await input(stopped);
  if (!stopped.aborted) await Promise.race([app.whenSettled(published).catch(() => {}), aborted(stopped)]);
  dispose();
  setTimeout(() => process.kill(process.pid, "SIGKILL"), drainMs + graceMs).unref();
  await app.close({ drainMs });
  await ended;
  if (app.error === undefined) return;
  process.stderr.write(`error: ${app.error.message}\n`);
  process.exitCode = 1;
}

/** Aborts with the first SIGINT or SIGTERM, or when `stop` is called; after `dispose` signals do again what they do by default. */
export function stopSignal(): {
  readonly stopped: AbortSignal;
  readonly stop: () => void;
  readonly dispose: () => void;
} {
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  const dispose = (): void => {
    for (const signal of ["SIGINT", "SIGTERM"]) process.off(signal, stop);
  };
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, stop);
  return { stopped: controller.signal, stop, dispose };
}

/** The input of an app whose records come from elsewhere: it publishes none, and ends with `stopped`. */
export async function untilStopped(stopped: AbortSignal): Promise<number> {
  await aborted(stopped);
  return 0;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
