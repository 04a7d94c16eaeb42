import { from, isObservable, type ObservableInput, type SchedulerLike, type Subscription } from "rxjs";
import type { BrokerSession, Delivery, DrainReport } from "../core/broker.ts";
import { jsonSerde } from "../core/serde.ts";
import type { Origin, OutgoingRecord, Position, RawRecord } from "../core/record.ts";

type Ending = "settled" | "released";

/** A value that the program fed: nothing redelivers it. */
export class InputDelivery implements Delivery {
  readonly value: unknown;
  readonly origin: Origin;
  readonly attempt = 1;
  /** The time of its arrival, milliseconds since the epoch. */
  readonly timestamp: number;
  private readonly session: BrokerSession;
  private ended: ((how: Ending) => void) | undefined;

  constructor(value: unknown, origin: Origin, timestamp: number, session: BrokerSession, ended: (how: Ending) => void) {
    this.value = value;
    this.origin = origin;
    this.timestamp = timestamp;
    this.session = session;
    this.ended = ended;
  }

  get position(): Position {
    return this.origin.position;
  }

  /** For dead letters: the value as JSON, or null when it has none. */
  get record(): RawRecord {
    return { topic: this.origin.topic, key: null, value: asJson(this.value), headers: [], timestamp: this.timestamp };
  }

  publish(outs: readonly OutgoingRecord[]): Promise<void> {
    return this.session.publish(outs);
  }

  ack(): void {
    this.end("settled");
  }

  nack(): void {
    this.end("released");
  }

  private end(how: Ending): void {
    this.ended?.(how);
    this.ended = undefined;
  }
}

function asJson(value: unknown): Uint8Array | null {
  try {
    return jsonSerde().serialize(value, [], "") as Uint8Array; // jsonSerde is synchronous
  } catch {
    return null;
  }
}

/** Takes values from one `fromObservable` source, at most `maxInFlight` unsettled; iterables are pulled, Observables push into a queue. */
export class InputFeed {
  private readonly name: string;
  private readonly session: BrokerSession;
  private readonly maxInFlight: number;
  private readonly scheduler: SchedulerLike;
  private readonly emit: (delivery: InputDelivery) => void;
  private readonly pushed: unknown[] = [];
  private iterator: AsyncIterator<unknown> | Iterator<unknown> | undefined = undefined;
  private subscription: Subscription | undefined = undefined;
  private count = 0;
  private inFlight = 0;
  private pulling = false;
  private stopped = false;
  private draining: Drain | undefined = undefined;
  private failed: (cause: unknown) => void = () => {};

  constructor(
    name: string,
    session: BrokerSession,
    options: { readonly maxInFlight: number; readonly scheduler: SchedulerLike },
    emit: (delivery: InputDelivery) => void,
  ) {
    this.name = name;
    this.session = session;
    this.maxInFlight = options.maxInFlight;
    this.scheduler = options.scheduler;
    this.emit = emit;
  }

  /** @param failed is called when the input itself throws or errors */
  start(input: ObservableInput<unknown>, failed: (cause: unknown) => void): void {
    this.failed = failed;
    this.iterator = iteratorOf(input);
    if (this.iterator !== undefined) {
      this.pull();
      return;
    }
    this.subscription = from(input).subscribe({
      next: (value) => {
        this.pushed.push(value);
        this.flush();
      },
      error: failed,
    });
  }

  /** Takes nothing more in. */
  stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    this.subscription?.unsubscribe();
    void this.endIterator();
  }

  /** Takes nothing more in, waits up to `ms` milliseconds for what is under way, and reports as a session does. */
  drain(ms: number): Promise<DrainReport> {
    this.stop();
    const began = this.inFlight;
    return new Promise((resolve) => {
      const ended = { settled: 0, released: 0 };
      const finish = (): void => {
        timer?.unsubscribe();
        resolve({ ...ended, abandoned: began - ended.settled - ended.released });
      };
      const timer = began > 0 ? this.scheduler.schedule(finish, ms) : undefined;
      this.draining = { ended, finish };
      if (began === 0) finish();
    });
  }

  /** A generator gets to its `finally`; what it throws there concerns nobody any more. */
  private async endIterator(): Promise<void> {
    try {
      await this.iterator?.return?.();
    } catch {}
  }

  private flush(): void {
    while (!this.stopped && this.pushed.length > 0 && this.inFlight < this.maxInFlight)
      this.deliver(this.pushed.shift());
  }

  private pull(): void {
    if (this.pulling) return;
    this.pulling = true;
    this.pullAll().catch((cause: unknown) => {
      this.iterator = undefined;
      this.failed(cause);
    });
  }

  private async pullAll(): Promise<void> {
    try {
      while (!this.stopped && this.inFlight < this.maxInFlight && this.iterator !== undefined) {
        const result: IteratorResult<unknown, unknown> = await this.iterator.next();
        if (result.done === true || this.stopped) this.iterator = undefined;
        else this.deliver(result.value);
      }
    } finally {
      // Here, not when the promise has resolved: a value may be settled in between, and asks for the next one.
      this.pulling = false;
    }
  }

  private deliver(value: unknown): void {
    const origin = { topic: this.name, position: `input:${this.name}@${this.count}` };
    this.count += 1;
    this.inFlight += 1;
    this.emit(new InputDelivery(value, origin, this.scheduler.now(), this.session, (how) => this.ended(how)));
  }

  private ended(how: Ending): void {
    this.inFlight -= 1;
    if (this.draining !== undefined) {
      this.draining.ended[how] += 1;
      if (this.inFlight === 0) this.draining.finish();
    }
    this.flush();
    if (this.iterator !== undefined) this.pull();
  }
}

/** Counts what becomes of the values that were under way when a drain began. */
interface Drain {
  readonly ended: Record<Ending, number>;
  readonly finish: () => void;
}

function iteratorOf(input: ObservableInput<unknown>): AsyncIterator<unknown> | Iterator<unknown> | undefined {
  if (isObservable(input)) return undefined;
  // A text is an iterable and no object.
  const { [Symbol.asyncIterator]: makeAsync, [Symbol.iterator]: make } = Object(input) as Partial<
    AsyncIterable<unknown> & Iterable<unknown>
  >;
  return makeAsync?.call(input) ?? make?.call(input);
}
