import { Subject, type Observable, type Subscription } from "rxjs";
import type { RunEvent, Runs } from "./runs.ts";
import { letterOf, summaryOf } from "./views.ts";

/** An event as it is sent: its id, its name, and JSON. */
export interface LoggedEvent {
  /** `<life>-<number>`: the numbers of an earlier life of the service say nothing in this one. */
  readonly id: string;
  readonly name: string;
  readonly data: string;
}

/** What a client that comes back may catch up with: events, and characters of their data. It is sent at once, so it must not be much. */
const keepEvents = 2_000;
const keepCharacters = 1_024 * 1_024;

/** What happened to runs, numbered, so that a client may go on where it stopped. */
export class EventLog {
  private readonly events: LoggedEvent[] = [];
  private readonly added = new Subject<LoggedEvent>();
  private readonly subscription: Subscription;
  private readonly life = crypto.randomUUID().slice(0, 8);
  private next = 1;
  private characters = 0;

  constructor(runs: Runs) {
    this.subscription = runs.events.subscribe((event) => this.add(event));
  }

  get live(): Observable<LoggedEvent> {
    return this.added.asObservable();
  }

  /** Id of the newest event; that of none before the first. */
  get last(): string {
    return `${this.life}-${this.next - 1}`;
  }

  /** Events after that one. Undefined when some of them are forgotten, or the id is none of this life of the service. */
  after(id: string): readonly LoggedEvent[] | undefined {
    const [, life, digits] = /^(\w+)-(\d{1,15})$/.exec(id) ?? [];
    const number = Number(digits);
    const first = this.next - this.events.length;
    if (life !== this.life || number < first - 1 || number >= this.next) return undefined;
    return this.events.slice(number - first + 1);
  }

  close(): void {
    this.subscription.unsubscribe();
    this.added.complete();
  }

  private add(event: RunEvent): void {
    const logged = { id: `${this.life}-${this.next}`, name: event.kind, data: JSON.stringify(dataOf(event)) };
    this.next += 1;
    this.events.push(logged);
    this.characters += logged.data.length;
    while (this.events.length > keepEvents || this.characters > keepCharacters) {
      this.characters -= this.events.shift()?.data.length ?? 0;
    }
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
