import { filter, firstValueFrom, Subject, takeUntil, timer, type Observable } from "rxjs";
import { Run, type RunProblem, type RunRequest, type Slice } from "./run.ts";

/** What happens to runs, in the order in which it happens. */
export type RunEvent =
  | { readonly kind: "run"; readonly run: Run }
  | { readonly kind: "slice"; readonly run: Run; readonly slice: Slice }
  | { readonly kind: "dead-letter"; readonly letter: DeadLetter };

/** A request that could not be answered, as it stands on the dead letter topic. */
export interface DeadLetter {
  readonly broker: string;
  /** Run that it belongs to, when that is known. */
  readonly run: string | undefined;
  readonly problem: RunProblem;
  /** Node of the topology that it struck. */
  readonly node: string;
  /** Where the request stands: `kafka:INFERENCE/0@42`. */
  readonly position: string;
  /** The request, as text, shortened to 200 characters. */
  readonly value: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** Dead letters that are remembered. */
const keepLetters = 100;

/** The runs of this process, and what has become of them; in memory, so many at most. */
export class Runs {
  private readonly keep: number;
  private readonly now: () => number;
  /** Oldest first. */
  private readonly byId = new Map<string, Run>();
  private readonly letters: DeadLetter[] = [];
  private readonly happened = new Subject<RunEvent>();
  private began = 0;

  constructor(keep: number, now: () => number) {
    this.keep = keep;
    this.now = now;
  }

  get events(): Observable<RunEvent> {
    return this.happened.asObservable();
  }

  /** Newest first. */
  get deadLetters(): readonly DeadLetter[] {
    return this.letters.toReversed();
  }

  /** Newest first. @param before number of a run, which may be forgotten: only older ones */
  list(before: number = Infinity): readonly Run[] {
    return [...this.byId.values()].filter(({ number }) => number < before).toReversed();
  }

  find(id: string): Run | undefined {
    return this.byId.get(id);
  }

  /** Notes a run that is about to be published. */
  begin(broker: string, request: RunRequest): Run {
    return this.remember(new Run(crypto.randomUUID(), broker, request, true, this.now()));
  }

  /** A run that did not reach the broker. */
  failed(run: Run, problem: RunProblem): void {
    run.fail(problem, this.now());
    this.happened.next({ kind: "run", run });
  }

  /** A result. @param id run that it names, or, for requests that others published, what its origin is called */
  result(broker: string, id: string, slice: Slice): void {
    const request = { start: slice.start, end: slice.start + slice.predictions.length };
    const run = this.byId.get(id) ?? this.remember(new Run(id, broker, request, false, this.now()));
    if (!run.add(slice, this.now())) return;
    this.happened.next({ kind: "slice", run, slice });
    this.happened.next({ kind: "run", run });
  }

  deadLetter(letter: DeadLetter): void {
    this.letters.push(letter);
    if (this.letters.length > keepLetters) this.letters.shift();
    this.happened.next({ kind: "dead-letter", letter });
    const run = letter.run === undefined ? undefined : this.byId.get(letter.run);
    if (run !== undefined) this.failed(run, letter.problem);
  }

  /** Resolves when nothing more is expected of the run, after `ms` milliseconds, or when all ends. */
  async whenFinished(run: Run, ms: number): Promise<void> {
    if (run.finished) return;
    const finished = this.happened.pipe(
      filter((event) => event.kind === "run" && event.run === run && run.finished),
      takeUntil(timer(ms)),
    );
    await firstValueFrom(finished, { defaultValue: undefined });
  }

  /** Ends the events, and with them all that waits. Results are still taken in. */
  close(): void {
    this.happened.complete();
  }

  private remember(run: Run): Run {
    this.began += 1;
    run.number = this.began;
    this.byId.set(run.id, run);
    if (this.byId.size > this.keep) this.forgetOne();
    this.happened.next({ kind: "run", run });
    return run;
  }

  /** The oldest that is finished; when none is, the oldest. */
  private forgetOne(): void {
    const runs = [...this.byId.values()];
    const oldest = runs.find(({ finished }) => finished) ?? runs[0];
    if (oldest !== undefined) this.byId.delete(oldest.id);
  }
}
