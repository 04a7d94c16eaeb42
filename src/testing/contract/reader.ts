import { messageOf } from "../../core/errors.ts";
import { fail } from "node:assert/strict";
import type { Subscription } from "rxjs";
import type { BrokerSession, Delivery, SessionOptions } from "../../core/broker.ts";
import type { OutgoingRecord } from "../../core/record.ts";
import type { BrokerHarness } from "./harness.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

/** A delivery's value as text. */
export function valueOf({ record }: Pick<Delivery, "record">): string {
  return decoder.decode(record.value ?? undefined);
}

export function valuesOf(deliveries: readonly Pick<Delivery, "record">[]): string[] {
  return deliveries.map(valueOf);
}

/** A record with a text for a value; a text key makes a keyed record. */
export function out(topic: string, value: string, given: Partial<OutgoingRecord> = {}): OutgoingRecord {
  return { topic, key: null, value: bytes(value), headers: [], timestamp: Date.UTC(2026, 0, 1), ...given };
}

/** `publish` of a delivery, where a throw, a rejection and undefined are all answers. */
export async function publish(delivery: Delivery, outs: readonly OutgoingRecord[]): Promise<void> {
  await delivery.publish(outs);
}

/** What a session hands out, as it comes. */
export class Reader {
  readonly session: BrokerSession;
  readonly deliveries: Delivery[] = [];
  error: unknown = undefined;
  completed = false;
  private readonly harness: BrokerHarness;
  private readonly subscription: Subscription;
  private changed: () => void = () => {};

  /** @param act is called with each delivery, as it comes */
  constructor(
    harness: BrokerHarness,
    session: BrokerSession,
    topics: readonly string[],
    act: (delivery: Delivery) => void = () => {},
  ) {
    this.harness = harness;
    this.session = session;
    this.subscription = session.deliveries(topics).subscribe({
      next: (delivery) => {
        this.deliveries.push(delivery);
        act(delivery);
        this.changed();
      },
      error: (error: unknown) => {
        this.error = error ?? new Error("undefined was thrown");
        this.changed();
      },
      complete: () => {
        this.completed = true;
        this.changed();
      },
    });
  }

  /** Opens a session and subscribes to its deliveries. */
  static async open(
    harness: BrokerHarness,
    topics: readonly string[],
    options: Partial<SessionOptions> & { readonly act?: (delivery: Delivery) => void } = {},
  ): Promise<Reader> {
    const { act, ...sessionOptions } = options;
    return new Reader(harness, await harness.session({ topics, ...sessionOptions }), topics, act);
  }

  /** Waits until `condition` holds. */
  async until(condition: () => boolean, what: string): Promise<void> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.changed();
    }, this.harness.deadlineMs);
    while (!condition()) {
      if (late) fail(`${what} within ${this.harness.deadlineMs} ms; got ${this.summary()}`);
      await new Promise<void>((resolve) => (this.changed = resolve));
    }
    clearTimeout(timer);
  }

  /** Waits for so many deliveries in all, and gives them. */
  async first(count: number): Promise<readonly Delivery[]> {
    await this.until(() => this.deliveries.length >= count || this.error !== undefined, `${count} deliveries`);
    if (this.deliveries.length < count) fail(`${count} deliveries; got ${this.summary()}`);
    return this.deliveries.slice(0, count);
  }

  /** Waits until what has not come by now will not come. */
  async quiet(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, this.harness.quietMs));
  }

  unsubscribe(): void {
    this.subscription.unsubscribe();
  }

  private summary(): string {
    const end = this.error === undefined ? "" : `, then the error ${messageOf(this.error)}`;
    return `${this.deliveries.length}: ${valuesOf(this.deliveries).slice(0, 20).join(", ")}${end}`;
  }
}

/** All values that the group has not settled: reads until nothing more comes, acks nothing, closes. */
export async function unsettled(harness: BrokerHarness, topic: string, atLeast: number): Promise<string[]> {
  const reader = await Reader.open(harness, [topic]);
  await reader.first(atLeast);
  await reader.quiet();
  await reader.session.close();
  return valuesOf(reader.deliveries);
}
