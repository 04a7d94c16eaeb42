import type { BrokerSession, Delivery, SessionOptions } from "../../../../src/core/broker.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import type { OutgoingRecord } from "../../../../src/core/record.ts";
import type { MemoryBroker } from "../../../../src/brokers/memory/index.ts";
import { VirtualScheduler } from "../../../../src/testing/index.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A record to write; key and value as text. */
export function out(
  topic: string,
  value: string,
  options: Partial<OutgoingRecord> & { text?: string } = {},
): OutgoingRecord {
  const { text, ...rest } = options;
  return {
    topic,
    key: text === undefined ? null : encoder.encode(text),
    value: encoder.encode(value),
    headers: [],
    timestamp: 0,
    ...rest,
  };
}

export function valueOf({ record }: Pick<Delivery, "record">): string {
  return decoder.decode(record.value ?? undefined);
}

export function values(deliveries: readonly Pick<Delivery, "record">[]): string[] {
  return deliveries.map(valueOf);
}

export function valuesIn(broker: MemoryBroker, topic: string): string[] {
  return broker.records(topic).map((record) => valueOf({ record }));
}

/** What a session has handed out so far. */
export class Reader {
  readonly deliveries: Delivery[] = [];
  error: unknown = undefined;
  completed = false;
  readonly session: BrokerSession;
  readonly scheduler: VirtualScheduler;
  private readonly subscription: { unsubscribe(): void };

  private constructor(
    session: BrokerSession,
    scheduler: VirtualScheduler,
    topics: readonly string[],
    act?: (delivery: Delivery) => void,
  ) {
    this.session = session;
    this.scheduler = scheduler;
    this.subscription = session.deliveries(topics).subscribe({
      next: (delivery) => {
        this.deliveries.push(delivery);
        act?.(delivery);
      },
      error: (error: unknown) => (this.error = error),
      complete: () => (this.completed = true),
    });
  }

  static async open(
    broker: MemoryBroker,
    topics: readonly string[],
    options: Partial<SessionOptions> & { readonly act?: (delivery: Delivery) => void } = {},
  ): Promise<Reader> {
    const { act, ...given } = options;
    const scheduler = given.scheduler instanceof VirtualScheduler ? given.scheduler : new VirtualScheduler();
    const session = await broker.open(sessionOptions({ ...given, scheduler, topics }));
    const reader = new Reader(session, scheduler, topics, act);
    await turn();
    return reader;
  }

  /** The latest handing out of a value. */
  get(value: string): Delivery {
    const delivery = this.deliveries.findLast((candidate) => valueOf(candidate) === value);
    if (delivery === undefined)
      throw new Error(`${value} was not handed out; there are: ${values(this.deliveries).join()}`);
    return delivery;
  }

  async advance(ms: number): Promise<void> {
    this.scheduler.advance(ms);
    await turn();
  }

  unsubscribe(): void {
    this.subscription.unsubscribe();
  }
}

export function sessionOptions(options: Partial<SessionOptions>): SessionOptions {
  return {
    groupId: "group",
    maxInFlight: 100,
    processingGuarantee: "at_least_once",
    commitIntervalMs: 100,
    autoOffsetReset: {},
    topics: [],
    scheduler: new VirtualScheduler(),
    logger: silentLogger,
    ...options,
  };
}

/** Lets the broker's microtasks and immediates run. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}
