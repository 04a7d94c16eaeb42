import { asyncScheduler, Subject, type OperatorFunction, type SchedulerLike } from "rxjs";
import type { Delivery, Lane } from "../../../src/core/broker.ts";
import type { Line } from "../../../src/core/line.ts";
import { DeliveryLineage, type LineageEnd } from "../../../src/core/lineage.ts";
import { StreamRecord, type Headers, type OutgoingRecord } from "../../../src/core/record.ts";
import type { AnyEnvelope, Envelope } from "../../../src/operators/envelope.ts";
import { nodeMetrics, type NodeContext, type NodeMetrics } from "../../../src/operators/node-context.ts";
import { Pressure } from "../../../src/operators/pressure.ts";

export interface Question {
  readonly cause: unknown;
  readonly envelope: AnyEnvelope;
  readonly retry: () => void;
}

export interface EnvelopeOptions {
  readonly key?: string | null;
  readonly line?: Line;
  readonly lane?: Lane;
  readonly headers?: Headers;
  readonly owner?: { lost: boolean };
}

/** An operator on its own: what it emits, what becomes of the deliveries, what it asks the error policy. */
export class Harness implements LineageEnd {
  halted = false;
  leaving = 0;
  /** Values of the deliveries by how they ended, in the order of ending. */
  readonly ended: Record<"settled" | "released" | "lost", unknown[]> = { settled: [], released: [], lost: [] };
  readonly questions: Question[] = [];
  readonly uncaught: unknown[] = [];
  readonly published: OutgoingRecord[] = [];
  readonly metrics: NodeMetrics = nodeMetrics();
  readonly pressure = new Pressure();
  readonly drain = new AbortController();
  readonly context: NodeContext;
  private readonly values = new Map<DeliveryLineage, unknown>();
  private count = 0;

  constructor(scheduler: SchedulerLike = asyncScheduler) {
    this.context = {
      name: "node",
      errors: {
        handle: (cause, envelope, retry) => this.questions.push({ cause, envelope, retry }),
        uncaught: (cause) => this.uncaught.push(cause),
      },
      scheduler,
      metrics: this.metrics,
      pressure: this.pressure,
      draining: this.drain.signal,
    };
  }

  settled(lineage: DeliveryLineage): void {
    this.ended.settled.push(this.values.get(lineage));
  }

  released(lineage: DeliveryLineage): void {
    this.ended.released.push(this.values.get(lineage));
  }

  lost(lineage: DeliveryLineage): void {
    this.ended.lost.push(this.values.get(lineage));
  }

  /** A delivery of its own, decoded to `value`. */
  envelope<V>(value: V, options: EnvelopeOptions = {}): Envelope<string | null, V> {
    const { key = null, line, lane, headers = [], owner } = options;
    const position = `test:T/0@${this.count}`;
    this.count += 1;
    const origin = { topic: "T", position };
    const delivery: Delivery = {
      record: { topic: "T", partition: 0, key: null, value: null, headers, timestamp: 0 },
      position,
      origin,
      attempt: 1,
      ...(lane !== undefined && { lane }),
      publish: (outs) => void this.published.push(...outs),
      ack: () => {},
      nack: () => {},
    };
    const lineage = new DeliveryLineage(delivery, owner, this);
    if (line !== undefined) lineage.enter(line);
    this.values.set(lineage, value);
    return { record: new StreamRecord(key, value, headers, 0, origin), lineage };
  }

  /** Connects an operator; what comes out is kept and stays open until somebody ends it. */
  run<I extends AnyEnvelope, O extends AnyEnvelope>(operator: OperatorFunction<I, O>): Running<I, O> {
    return new Running(operator);
  }
}

export class Running<I extends AnyEnvelope, O extends AnyEnvelope> {
  readonly out: O[] = [];
  private readonly input = new Subject<I>();
  private readonly subscription: { unsubscribe(): void };

  constructor(operator: OperatorFunction<I, O>) {
    this.subscription = this.input.pipe(operator).subscribe((envelope) => this.out.push(envelope));
  }

  get values(): unknown[] {
    return this.out.map(({ record }) => record.value);
  }

  put(...envelopes: I[]): void {
    for (const envelope of envelopes) this.input.next(envelope);
  }

  /** Ends what has come out. */
  endAll(): void {
    for (const { lineage } of this.out) lineage.done();
  }

  stop(): void {
    this.subscription.unsubscribe();
  }
}

/** Resolves when the event loop has turned once. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
