import { setTimeout as sleep } from "node:timers/promises";
import { filter, firstValueFrom } from "rxjs";
import { StreamsApp, StreamsBuilder, stringSerde } from "millrace";
import { kafkaBroker } from "millrace/kafka";
import { describe, expect, inject, test } from "vitest";
import { Ledger, report } from "./ledger.ts";
import { until } from "../../scripts/brokers/until.ts";

const kafka = inject("kafka");
const brokers = kafka?.brokers ?? [];

/** An app whose calls end when the test says so. */
class HeldApp {
  readonly app: StreamsApp;
  /** Ends the call of each record, by its value. */
  readonly calls = new Map<string, () => void>();

  constructor({ input, output, groupId }: Ledger) {
    const builder = new StreamsBuilder();
    builder
      .stream(input, { value: stringSerde })
      .mapAsync((value) => new Promise<string>((resolve) => this.calls.set(value, () => resolve(value))), {
        concurrency: 64,
      })
      .to(output, { value: stringSerde });
    this.app = new StreamsApp(builder.build(), {
      applicationId: groupId,
      broker: kafkaBroker({ brokers, sessionTimeoutMs: 1_500 }),
    });
  }

  /** Resolves when so many calls are under way. */
  async working(count: number): Promise<void> {
    await this.app.start();
    await until(() => this.calls.size === count, { what: () => `calls: ${this.calls.size} of ${count}`, ms: 20_000 });
  }

  async isClosing(): Promise<void> {
    await firstValueFrom(this.app.states.pipe(filter((state) => state === "PENDING_SHUTDOWN")));
  }

  /** Ends calls; gives how many of them ended while the app was closing. */
  end(values: Iterable<string>): number {
    let late = 0;
    for (const value of [...values]) {
      this.calls.get(value)?.();
      this.calls.delete(value);
      if (this.app.state === "PENDING_SHUTDOWN") late += 1;
    }
    return late;
  }
}

describe.skipIf(kafka === undefined)("the end of an app", () => {
  // Red without `await this.idle(ms)` in src/brokers/kafka/hand-out.ts `stop`, or without `commits.flush()` in source.ts `drain`.
  test("an ack that comes a second after the stop began is committed", async () => {
    const ledger = await Ledger.open(brokers, { partitions: 3 });
    await ledger.send(30);
    const first = new HeldApp(ledger);
    await first.working(30);
    const closing = first.app.close({ drainMs: 10_000 });
    await first.isClosing();
    await sleep(1_000); // the fault: so late are they
    const late = first.end(first.calls.keys());
    const drained = await closing;
    const lag = await ledger.lag();
    await ledger.send(6);
    const second = new HeldApp(ledger);
    await second.working(6);
    second.end(second.calls.keys());
    await ledger.allCommitted();
    await second.app.close();
    const account = await ledger.settle();
    report("late acks of a stop", { late }, { drained, lag, ...account });
    expect(late).toBe(30);
    expect(drained).toEqual({ settled: 30, released: 0, abandoned: 0 });
    expect(lag).toBe(0);
    expect(account).toEqual({ sent: 36, lost: 0, duplicated: 0, reordered: 0, foreign: 0 });
    await ledger.close();
  });

  // Red without the timer in src/brokers/kafka/hand-out.ts `idle` (the stop never ends), or with a commit of `position` in place of `watermark` in
  // offset-commits.ts `commitOnce` (the hung one is lost).
  test("a stop gives up a call that hangs: its record comes again after the restart, with those behind it", async () => {
    const ledger = await Ledger.open(brokers, { partitions: 1 });
    await ledger.send(10);
    const first = new HeldApp(ledger);
    await first.working(10);
    const closing = first.app.close({ drainMs: 1_000 });
    await first.isClosing();
    const hung = ledger.sent[4] ?? "";
    first.end(ledger.sent.filter((value) => value !== hung));
    const drained = await closing;
    const committed = await ledger.committed();
    const second = new HeldApp(ledger);
    await second.working(6);
    const again = [...second.calls.keys()];
    second.end(again);
    await ledger.allCommitted();
    await second.app.close();
    const account = await ledger.settle();
    report("a hung call at the stop", { hung: first.calls.size }, { drained, committed, again, ...account });
    expect([...first.calls.keys()]).toEqual([hung]);
    // What is done behind it waits for it, since sinks keep the order.
    expect(drained).toEqual({ settled: 4, released: 0, abandoned: 6 });
    expect(committed).toEqual([4]);
    expect(again).toEqual(ledger.sent.slice(4));
    expect(account).toEqual({ sent: 10, lost: 0, duplicated: 0, reordered: 0, foreign: 0 });
    await ledger.close();
  });
});
