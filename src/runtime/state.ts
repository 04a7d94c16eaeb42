import { BehaviorSubject, type Observable } from "rxjs";
import { StoppedError } from "../core/errors.ts";

/** The life of an app, in the words of Kafka Streams. */
export const appStates = [
  "CREATED",
  "REBALANCING",
  "RUNNING",
  "PENDING_SHUTDOWN",
  "NOT_RUNNING",
  "PENDING_ERROR",
  "ERROR",
] as const;

export type AppState = (typeof appStates)[number];

const next: Readonly<Record<AppState, readonly AppState[]>> = {
  CREATED: ["REBALANCING", "PENDING_SHUTDOWN"],
  REBALANCING: ["RUNNING", "PENDING_SHUTDOWN", "PENDING_ERROR"],
  RUNNING: ["REBALANCING", "PENDING_SHUTDOWN", "PENDING_ERROR"],
  PENDING_SHUTDOWN: ["NOT_RUNNING", "PENDING_ERROR"],
  NOT_RUNNING: [],
  PENDING_ERROR: ["ERROR"],
  ERROR: [],
};

/** Allows only the steps that the table has; the Observable begins with the present state and completes at an end. */
export class StateMachine {
  private readonly subject = new BehaviorSubject<AppState>("CREATED");

  get state(): AppState {
    return this.subject.value;
  }

  get states(): Observable<AppState> {
    return this.subject.asObservable();
  }

  may(state: AppState): boolean {
    return next[this.state].includes(state);
  }

  to(state: AppState): void {
    if (!this.may(state)) throw new StoppedError(`an app that is ${this.state} can't become ${state}`);
    this.subject.next(state);
    if (next[state].length === 0) this.subject.complete();
  }
}
