import { map, tap } from "rxjs";
import type { Broker, BrokerSession, Delivery } from "../../../src/core/broker.ts";
import { headerText } from "../../../src/core/provenance.ts";
import type { Position, RawRecord } from "../../../src/core/record.ts";
import type { MemoryBroker } from "../../../src/brokers/memory/index.ts";
import type { Expected } from "./model.ts";
import { integerSerde } from "./values.ts";

/** A record that the app wrote. */
export interface Written {
  readonly topic: string;
  readonly key: string | null;
  readonly value: number;
  /** `millrace-id`: the same each time that the same result is written. */
  readonly id: string;
  readonly origin: Position;
}

/**
 * Stands between a broker and the apps on it, and notes what an app must never do: settle twice, ack before the results are there, hold more than its credit.
 */
export class Watch {
  /** What was done wrong; empty at the end of a good run. */
  readonly faults: string[] = [];
  private readonly broker: MemoryBroker;
  private readonly expected: (position: Position) => Expected;
  private readonly deadLetterTopic: string;
  /** Positions that are out, by lane. */
  private readonly out = new Map<Delivery["lane"], Set<Position>>();

  constructor(broker: MemoryBroker, expected: (position: Position) => Expected, deadLetterTopic: string) {
    this.broker = broker;
    this.expected = expected;
    this.deadLetterTopic = deadLetterTopic;
    const open = broker.open.bind(broker);
    broker.open = async (options): ReturnType<Broker["open"]> => {
      const atOnce = options.processingGuarantee === "at_least_once";
      return this.session(await open(options), options.maxInFlight, atOnce);
    };
  }

  /** Records that are out, of lanes that are not lost. */
  get outCount(): number {
    let count = 0;
    for (const [lane, { size }] of this.out) count += lane?.signal.aborted === true ? 0 : size;
    return count;
  }

  /** Results in the topics, topic by topic, in the order of each. */
  written(topics: readonly string[] = ["OUT", "SIDE"]): Written[] {
    return topics.flatMap((topic) => this.broker.records(topic).map(writtenOf));
  }

  /** `position node` of each dead letter. */
  deadLetters(): string[] {
    return this.broker
      .records(this.deadLetterTopic)
      .map(
        ({ headers }) =>
          `${headerText(headers, "millrace.error.position")} ${headerText(headers, "millrace.error.node")}`,
      );
  }

  private session(session: BrokerSession, maxInFlight: number, atLeastOnce: boolean): BrokerSession {
    this.out.clear();
    return {
      committed: session.committed.pipe(tap((position) => this.checkDone(position, "committed"))),
      publish: (outs) => session.publish(outs),
      drain: (ms) => session.drain(ms),
      close: () => session.close(),
      deliveries: (topics) =>
        session.deliveries(topics).pipe(
          map((delivery) => {
            this.take(delivery, maxInFlight);
            return this.watched(delivery, atLeastOnce);
          }),
        ),
    };
  }

  private take({ lane, position }: Delivery, maxInFlight: number): void {
    let positions = this.out.get(lane);
    if (positions === undefined) {
      positions = new Set();
      this.out.set(lane, positions);
    }
    positions.add(position);
    if (this.outCount > maxInFlight) this.faults.push(`${this.outCount} out, ${maxInFlight} allowed`);
  }

  private watched(delivery: Delivery, atLeastOnce: boolean): Delivery {
    let settlements = 0;
    const settle = (how: string): void => {
      settlements += 1;
      if (settlements > 1) this.faults.push(`${delivery.position} was settled ${settlements} times, last by ${how}`);
      this.out.get(delivery.lane)?.delete(delivery.position);
    };
    return {
      record: delivery.record,
      position: delivery.position,
      origin: delivery.origin,
      attempt: delivery.attempt,
      ...(delivery.lane && { lane: delivery.lane }),
      publish: (outs) => delivery.publish(outs),
      ack: () => {
        settle("ack");
        if (atLeastOnce) this.checkDone(delivery.position, "acked");
        delivery.ack();
      },
      nack: (cause) => {
        settle("nack");
        delivery.nack(cause);
      },
    };
  }

  /** Everything that must come of a delivery is there. */
  private checkDone(position: Position, how: string): void {
    const { results, deadLetters } = this.expected(position);
    const missing = results.map(({ topic, key, value }) => `${topic} ${key} ${value}`);
    const seen = new Set<string>();
    for (const { id, topic, key, value, origin } of this.written()) {
      if (origin !== position || seen.has(id)) continue;
      seen.add(id);
      const index = missing.indexOf(`${topic} ${key} ${value}`);
      if (index === -1) this.faults.push(`${position} was to make no ${topic} ${key} ${value}`);
      else missing.splice(index, 1);
    }
    if (missing.length > 0) this.faults.push(`${position} was ${how} without ${missing.join(", ")}`);
    const letters = this.deadLetters();
    for (const node of deadLetters) {
      if (!letters.includes(`${position} ${node}`))
        this.faults.push(`${position} was ${how} without its dead letter of ${node}`);
    }
  }
}

function writtenOf({ topic, key, value, headers }: RawRecord): Written {
  const id = headerText(headers, "millrace-id") ?? "";
  return {
    topic,
    key: key === null ? null : new TextDecoder().decode(key),
    value: value === null ? NaN : (integerSerde.deserialize(value, headers, topic) as number), // it is synchronous
    id,
    origin: /^[^@]+@\d+/.exec(id)?.[0] ?? "",
  };
}
