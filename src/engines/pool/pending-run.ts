import type { NamedTensors } from "../../core/engine.ts";
import type { Cargo } from "./feeds.ts";

/** A run that may have to wait: its feeds, its promise, and what watches its signal meanwhile. */
export class PendingRun {
  cargo: Cargo;
  readonly resolve: (outputs: NamedTensors) => void;
  readonly reject: (error: Error) => void;
  unwatch: () => void = () => {};
  /** It was answered, or given up: what comes later counts for nothing. */
  over = false;
  /** Runs out when it hangs. */
  timer: NodeJS.Timeout | undefined = undefined;

  constructor(cargo: Cargo, promise: { resolve: (outputs: NamedTensors) => void; reject: (error: Error) => void }) {
    this.cargo = cargo;
    this.resolve = promise.resolve;
    this.reject = promise.reject;
  }

  watch(signal: AbortSignal, onAbort: () => void): void {
    signal.addEventListener("abort", onAbort, { once: true });
    this.unwatch = () => signal.removeEventListener("abort", onAbort);
  }
}
