import { Subject, type Observable, type Subscription } from "rxjs";
import type { RunEvent, Runs } from "./runs.ts";
import { letterOf, summaryOf } from "./views.ts";

/** An event as it is sent: its number, its name, and JSON. */
export interface LoggedEvent {
  readonly id: number;
  readonly name: string;
  readonly data: string;
}

/** Events that a client which comes back may catch up with. */
const keepEvents = 2_000;

/** What happened to runs, numbered, so that a client may go on where it stopped. */
export class EventLog {
  private readonly events: LoggedEvent[] = [];
  private readonly added = new Subject<LoggedEvent>();
  private readonly subscription: Subscription;
  private next = 1;

  constructor(runs: Runs) {
    this.subscription = runs.events.subscribe((event) => this.add(event));
  }

  get live(): Observable<LoggedEvent> {
    return this.added.asObservable();
  }

  /** Number of the newest event; 0 before the first. */
  get last(): number {
    return this.next - 1;
  }

  /** Events after that number. Undefined when some of them are forgotten, or it is of an earlier life of the service. */
  after(id: number): readonly LoggedEvent[] | undefined {
    const first = this.next - this.events.length;
    if (id < first - 1 || id > this.last) return undefined;
    return this.events.slice(id - first + 1);
  }

  close(): void {
    this.subscription.unsubscribe();
    this.added.complete();
  }

  private add(event: RunEvent): void {
    const logged = { id: this.next, name: event.kind, data: JSON.stringify(dataOf(event)) };
    this.next += 1;
    this.events.push(logged);
    if (this.events.length > keepEvents) this.events.shift();
    this.added.next(logged);
  }
}

function dataOf(event: RunEvent): object {
  switch (event.kind) {
    case "run":
      return summaryOf(event.run);
    case "slice": {
      const { start, predictions, scores } = event.slice;
      return { run: event.run.id, start_idx: start, end_idx: start + predictions.length, predictions, scores };
    }
    case "dead-letter":
      return letterOf(event.letter);
  }
}
