import { setImmediate as turn } from "node:timers/promises";
import type { StreamsApp } from "../runtime/streams-app.ts";

/** Turns of the event loop in which nothing may happen before an app counts as quiet. */
const quietTurns = 3;

/** What is looked at to tell whether an app has come to rest. */
export interface Watched {
  readonly app: StreamsApp;
  /** Timers that the topology's own functions have set on the virtual clock: calls that wait for one go on only when it advances. */
  readonly timers: number;
}

/**
 * Waits until nothing more happens in an app unless time passes: every delivery is settled, or waits for a timer or for another record.
 *
 * It looks once per turn of the event loop, so that promises, worker threads and the broker's own turns go on. It waits for a promise for as long
 * as that takes, or until `enough` says so.
 */
export async function quiet(watched: () => Watched, enough: () => boolean = () => false): Promise<void> {
  let before = "";
  for (let turns = 0; turns < quietTurns;) {
    await turn();
    const { app, timers } = watched();
    const now = traceOf(app);
    if (now !== before) turns = 0;
    else if (!isWorking(app, timers) || enough()) turns += 1;
    before = now;
  }
}

/** Whether something will end by itself. Of as many calls as there are timers it is assumed that they wait for those. */
function isWorking(app: StreamsApp, timers: number): boolean {
  if (app.state === "PENDING_ERROR") return true;
  if (timers === 0) return app.busy;
  let running = 0;
  for (const node of app.metrics.nodes.values()) running += node.running;
  return running > timers;
}

/** A text that changes when anything happens. */
function traceOf({ state, metrics, backingOff }: StreamsApp): string {
  const { delivered, settled, released, inFlight, restarts } = metrics;
  const counts = [delivered, settled, released, inFlight, restarts, backingOff];
  for (const { processed, emitted, errors, queued, running, held } of metrics.nodes.values()) {
    counts.push(processed, emitted, errors, queued, running, held);
  }
  return `${state} ${counts.join()}`;
}
