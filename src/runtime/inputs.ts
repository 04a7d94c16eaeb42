import { from, isObservable, type ObservableInput, type Subscription } from "rxjs";
import type { BrokerSession, Delivery } from "../core/broker.ts";
import { jsonSerde } from "../core/serde.ts";
import type { Origin, OutgoingRecord, Position, RawRecord } from "../core/record.ts";

/** A value that the program fed: nothing redelivers it. */
export class InputDelivery implements Delivery {
  readonly value: unknown;
  readonly origin: Origin;
  readonly attempt = 1;
  private readonly timestamp: number;
  private readonly session: BrokerSession;
  private settle: (() => void) | undefined;

  constructor(value: unknown, origin: Origin, timestamp: number, session: BrokerSession, settle: () => void) {
    this.value = value;
    this.origin = origin;
    this.timestamp = timestamp;
    this.session = session;
    this.settle = settle;
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
    this.settle?.();
    this.settle = undefined;
  }

  nack(): void {
    this.ack();
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
  private readonly now: () => number;
  private readonly emit: (delivery: InputDelivery) => void;
  private readonly pushed: unknown[] = [];
  private iterator: AsyncIterator<unknown> | Iterator<unknown> | undefined = undefined;
  private subscription: Subscription | undefined = undefined;
  private count = 0;
  private inFlight = 0;
  private pulling = false;
  private stopped = false;
  private failed: (cause: unknown) => void = () => {};

  constructor(
    name: string,
    session: BrokerSession,
    options: { readonly maxInFlight: number; readonly now: () => number },
    emit: (delivery: InputDelivery) => void,
  ) {
    this.name = name;
    this.session = session;
    this.maxInFlight = options.maxInFlight;
    this.now = options.now;
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

  stop(): void {
    this.stopped = true;
    this.subscription?.unsubscribe();
    void this.iterator?.return?.();
  }

  private flush(): void {
    while (!this.stopped && this.pushed.length > 0 && this.inFlight < this.maxInFlight)
      this.deliver(this.pushed.shift());
  }

  private pull(): void {
    if (this.pulling) return;
    this.pulling = true;
    this.pullAll()
      .catch(this.failed)
      .finally(() => (this.pulling = false));
  }

  private async pullAll(): Promise<void> {
    while (!this.stopped && this.inFlight < this.maxInFlight && this.iterator !== undefined) {
      const result: IteratorResult<unknown, unknown> = await this.iterator.next();
      if (result.done === true || this.stopped) this.iterator = undefined;
      else this.deliver(result.value);
    }
  }

  private deliver(value: unknown): void {
    const origin = { topic: this.name, position: `input:${this.name}@${this.count}` };
    this.count += 1;
    this.inFlight += 1;
    this.emit(
      new InputDelivery(value, origin, this.now(), this.session, () => {
        this.inFlight -= 1;
        this.flush();
        if (this.iterator !== undefined) this.pull();
      }),
    );
  }
}

function iteratorOf(input: ObservableInput<unknown>): AsyncIterator<unknown> | Iterator<unknown> | undefined {
  if (isObservable(input)) return undefined;
  if (Symbol.asyncIterator in input) return input[Symbol.asyncIterator]();
  if (Symbol.iterator in input) return input[Symbol.iterator]();
  return undefined;
}
