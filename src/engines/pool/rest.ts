import type { Gate } from "./gate.ts";

/** What `enginesAtRest` needs of a pool. */
export interface Restable {
  /** Resolves when the runs and loads that have begun are over. */
  rest(): Promise<void>;
  /** Dispatches what was queued while `isHeld()`. */
  resume(): void;
}

// Longest that the end of the process waits for a run. After it the run counts as hung, and the process may abort.
const exitWaitMs = 30_000;

const gates = new Set<Gate>();
const pools = new Set<Restable>();
let holds = 0;

/**
 * Resolves when no engine of this process is inside a run, and keeps queued runs from beginning until the caller's next
 * steps are done.
 *
 * Await it before `process.exit()`. The `exit` event waits for running engines as well, but it blocks the event loop to
 * do so; this one lets the loop go on, so that other things can end in the meantime. A run that hangs keeps it pending:
 * bound it with a timeout of your own.
 */
export async function enginesAtRest(): Promise<void> {
  holds += 1;
  try {
    await Promise.all([...pools].map((pool) => pool.rest()));
  } finally {
    // Not at once: the caller's continuation must come first, or it would find the next run begun.
    setImmediate(release);
  }
}

/** Whether someone waits in `enginesAtRest`: no run may begin. */
export function isHeld(): boolean {
  return holds > 0;
}

/** Makes `enginesAtRest` wait for this pool, until the returned function is called. */
export function watchPool(pool: Restable): () => void {
  pools.add(pool);
  return () => void pools.delete(pool);
}

/** Makes the end of the process wait at this gate, until the returned function is called. */
export function watchGate(gate: Gate): () => void {
  if (gates.size === 0) process.on("exit", shutGates);
  gates.add(gate);
  return () => {
    gates.delete(gate);
    if (gates.size === 0) process.off("exit", shutGates);
  };
}

function release(): void {
  holds -= 1;
  if (holds > 0) return;
  for (const pool of pools) pool.resume();
}

function shutGates(): void {
  const deadline = performance.now() + exitWaitMs;
  for (const gate of gates) gate.shut(deadline);
}
