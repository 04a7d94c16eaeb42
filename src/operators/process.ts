import type { OperatorFunction, Subscription } from "rxjs";
import type { Lane } from "../core/broker.ts";
import { ConfigError, StoppedError } from "../core/errors.ts";
import { JointLineage } from "../core/joint.ts";
import type { Line } from "../core/line.ts";
import type { Lineage } from "../core/lineage.ts";
import type { StreamRecord } from "../core/record.ts";
import type { Envelope } from "./envelope.ts";
import type { NodeContext } from "./node-context.ts";
import { operate } from "./operate.ts";
import type { Out } from "./per-record.ts";

/** A record that a processor keeps: its delivery is not acked before the hold ends. */
export interface Held {
  /** Ends the hold: nothing comes of the record. */
  done(): void;
  /** Ends the hold and gives the delivery back undone. */
  release(cause: unknown): void;
}

/** Takes back a schedule. May be called twice. */
export type Cancel = () => void;

/** What a processor works with. */
export interface ProcessorContext<RK, RV> {
  /** The lane that this instance serves; undefined where records have no order. */
  readonly lane: string | undefined;
  /** The app's clock, milliseconds since the epoch: virtual in tests. */
  now(): number;
  /**
   * Sends a record on. Inside `process` it descends from the current record. With `from` it descends from those holds, all of which end
   * when it settles: that is how N records become one. Outside `process`, `from` is needed.
   *
   * Errors: `ERR_CONFIG` outside `process` without `from`, or when a hold has ended.
   */
  forward(record: StreamRecord<RK, RV>, options?: { readonly from?: readonly Held[] }): void;
  /** Calls `fn` every `intervalMs` milliseconds until cancelled, or the lane is lost. Minimum 1. */
  schedule(intervalMs: number, fn: (now: number) => void): Cancel;
  /** Keeps the current record open for a later `forward`. Later records of its lane no longer wait for it. Released on drain. */
  hold(): Held;
}

/** User code that sees each record of one lane in order and decides itself what to send on, and when. */
export interface Processor<K, V, RK, RV> {
  init?(context: ProcessorContext<RK, RV>): void;
  process(record: StreamRecord<K, V>): void;
  /** The lane is lost or the app ends. Nothing can be forwarded any more. */
  close?(): void;
}

/** Makes one processor per lane. */
export type ProcessorSupplier<K, V, RK, RV> = () => Processor<K, V, RK, RV>;

/** Runs one processor instance per lane. */
export function process<K, V, RK, RV>(
  supplier: ProcessorSupplier<K, V, RK, RV>,
  context: NodeContext,
): OperatorFunction<Envelope<K, V>, Envelope<RK, RV>> {
  return operate((out) => {
    const instances = new Instances(supplier, context, out);
    const drain = (): void => instances.releaseAll();
    context.draining.addEventListener("abort", drain);
    out.add(() => {
      context.draining.removeEventListener("abort", drain);
      instances.close();
    });
    return (envelope) => {
      context.metrics.processed += 1;
      instances.process(envelope);
    };
  });
}

/** One processor per lane, for as long as the lane is ours. */
class Instances<K, V, RK, RV> {
  private readonly supplier: ProcessorSupplier<K, V, RK, RV>;
  private readonly context: NodeContext;
  private readonly out: Out<Envelope<RK, RV>>;
  private readonly byLane = new Map<Lane | undefined, Instance<K, V, RK, RV>>();

  constructor(supplier: ProcessorSupplier<K, V, RK, RV>, context: NodeContext, out: Out<Envelope<RK, RV>>) {
    this.supplier = supplier;
    this.context = context;
    this.out = out;
  }

  process(envelope: Envelope<K, V>): void {
    const { lineage } = envelope;
    if (lineage.root.over) return lineage.done();
    try {
      this.of(lineage.root.delivery.lane).process(envelope);
    } catch (cause) {
      this.context.errors.handle(cause, envelope, () => this.process(envelope));
    }
  }

  releaseAll(): void {
    for (const instance of this.byLane.values()) instance.releaseAll();
  }

  close(): void {
    for (const instance of this.byLane.values()) instance.close();
  }

  private of(lane: Lane | undefined): Instance<K, V, RK, RV> {
    const known = this.byLane.get(lane);
    if (known !== undefined) return known;
    const instance = new Instance(this.supplier(), lane, this.context, this.out);
    this.byLane.set(lane, instance);
    const lost = (): void => {
      this.byLane.delete(lane);
      instance.close();
    };
    lane?.signal.addEventListener("abort", lost, { once: true });
    return instance;
  }
}

/** A hold and the share that it keeps; the share is undefined when the hold has ended. */
interface Hold extends Held {
  share: Lineage | undefined;
  /** It was given back by a drain or with its lane: nothing can come of it any more, and that is nobody's mistake. */
  returned: boolean;
  /** The line that the record stood in. */
  readonly line: Line | undefined;
}

/** One processor, and the record that it works on. */
class Instance<K, V, RK, RV> implements ProcessorContext<RK, RV> {
  readonly lane: string | undefined;
  private readonly processor: Processor<K, V, RK, RV>;
  private readonly context: NodeContext;
  private readonly out: Out<Envelope<RK, RV>>;
  private readonly holds = new Set<Hold>();
  private readonly timers = new Set<Subscription>();
  private current: Lineage | undefined = undefined;
  /** Made for the current record. */
  private fresh: Hold[] = [];
  private closed = false;

  constructor(
    processor: Processor<K, V, RK, RV>,
    lane: Lane | undefined,
    context: NodeContext,
    out: Out<Envelope<RK, RV>>,
  ) {
    this.processor = processor;
    this.lane = lane?.id;
    this.context = context;
    this.out = out;
    processor.init?.(this);
  }

  process({ record, lineage }: Envelope<K, V>): void {
    this.current = lineage;
    this.fresh = [];
    try {
      this.processor.process(record);
    } catch (cause) {
      // The policy decides about the record alone, and may give it here again.
      for (const hold of this.fresh) hold.done();
      throw cause;
    } finally {
      this.current = undefined;
    }
    if (this.context.draining.aborted) this.releaseAll();
    lineage.done();
  }

  now(): number {
    return this.context.scheduler.now();
  }

  forward(record: StreamRecord<RK, RV>, options?: { readonly from?: readonly Held[] }): void {
    const { current } = this;
    if (options?.from === undefined && current === undefined) {
      throw this.mistake(
        "outside process() a record needs { from: [hold, …] }, else nothing would say when its cause is done",
      );
    }
    const lineage = options?.from === undefined ? current?.fork() : this.join(options.from);
    if (lineage !== undefined) this.out.next({ record, lineage });
  }

  schedule(intervalMs: number, fn: (now: number) => void): Cancel {
    if (!(intervalMs >= 1)) throw this.mistake(`schedule() takes an interval of at least 1 ms, got ${intervalMs}`);
    const { errors, scheduler } = this.context;
    const timer = scheduler.schedule(function () {
      try {
        fn(scheduler.now());
        this.schedule(undefined, intervalMs);
      } catch (cause) {
        errors.uncaught(cause);
      }
    }, intervalMs);
    this.timers.add(timer);
    return () => {
      timer.unsubscribe();
      this.timers.delete(timer);
    };
  }

  hold(): Held {
    const { current } = this;
    if (current === undefined) throw this.mistake("there is no record to hold outside process()");
    const share = current.fork();
    share.stepOut();
    const hold: Hold = {
      share,
      returned: false,
      line: current.line,
      done: () => this.end(hold)?.done(),
      release: (cause) => this.end(hold)?.release(cause),
    };
    this.holds.add(hold);
    this.fresh.push(hold);
    this.context.metrics.held += 1;
    return hold;
  }

  /** A drain has begun: what is held is given back. */
  releaseAll(): void {
    this.giveBack(this.holds, "drained while a processor held the record");
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const timer of this.timers) timer.unsubscribe();
    this.giveBack(this.holds, "a processor was closed while it held the record");
    try {
      this.processor.close?.();
    } catch (cause) {
      this.context.errors.uncaught(cause);
    }
  }

  private giveBack(holds: Iterable<Hold>, why: string): void {
    for (const hold of [...holds]) {
      hold.returned = true;
      hold.release(new StoppedError(why));
    }
  }

  private end(hold: Hold): Lineage | undefined {
    const { share } = hold;
    hold.share = undefined;
    if (this.holds.delete(hold)) this.context.metrics.held -= 1;
    return share;
  }

  /** Undefined when one of them was given back: then all are, and the record that was made from them is dropped. */
  private join(from: readonly Held[]): Lineage | undefined {
    const holds = [...new Set(from as readonly Hold[])]; // every Held of this instance was made by `hold` above
    const last = holds.at(-1);
    if (last === undefined) throw this.mistake("from is empty");
    if (holds.some(({ returned }) => returned)) {
      this.giveBack(holds, "a record that was held together with it was given back");
      return undefined;
    }
    if (holds.some(({ share }) => share === undefined)) throw this.mistake("a hold that has ended can't be used again");
    const [first, ...rest] = holds.flatMap((hold) => this.end(hold) ?? []);
    if (first === undefined) return undefined;
    const joint = new JointLineage([first, ...rest]);
    const line = this.current === undefined ? last.line : this.current.line;
    if (line !== undefined) joint.enter(line, this.current);
    return joint;
  }

  private mistake(what: string): ConfigError {
    return new ConfigError(`${this.context.name}: ${what}`);
  }
}
