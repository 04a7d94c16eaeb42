import type { OperatorFunction, Subscription } from "rxjs";
import type { Lane } from "../core/broker.ts";
import { ConfigError, StoppedError } from "../core/errors.ts";
import { joinLineages } from "../core/joint.ts";
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
    try {
      this.processor.process(record);
    } catch (cause) {
      const hold = this.heldOf(lineage);
      if (hold !== undefined) this.end(hold); // the share stays with the envelope, which the policy gets
      throw cause;
    } finally {
      this.current = undefined;
    }
    if (this.heldOf(lineage) === undefined) lineage.done();
  }

  now(): number {
    return this.context.scheduler.now();
  }

  forward(record: StreamRecord<RK, RV>, options?: { readonly from?: readonly Held[] }): void {
    const lineage = options?.from === undefined ? this.current?.fork() : this.join(options.from);
    if (lineage !== undefined) return this.out.next({ record, lineage });
    throw new ConfigError(
      `forward in ${this.context.name}: outside process() a record needs { from: [hold, …] }, else nothing would say when its cause is done`,
    );
  }

  schedule(intervalMs: number, fn: (now: number) => void): Cancel {
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
    const share = this.current;
    if (share === undefined) throw new ConfigError(`hold in ${this.context.name}: there is no record outside process()`);
    const hold: Hold = {
      share,
      line: share.line,
      done: () => this.end(hold)?.done(),
      release: (cause) => this.end(hold)?.release(cause),
    };
    this.holds.add(hold);
    this.context.metrics.held += 1;
    share.stepOut();
    return hold;
  }

  /** A drain has begun: what is held is given back. */
  releaseAll(): void {
    for (const hold of [...this.holds]) hold.release(new StoppedError("drained while a processor held the record"));
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const timer of this.timers) timer.unsubscribe();
    for (const hold of [...this.holds]) hold.done();
    this.processor.close?.();
  }

  private heldOf(lineage: Lineage): Hold | undefined {
    for (const hold of this.holds) if (hold.share === lineage) return hold;
    return undefined;
  }

  private end(hold: Hold): Lineage | undefined {
    const { share } = hold;
    hold.share = undefined;
    if (this.holds.delete(hold)) this.context.metrics.held -= 1;
    return share;
  }

  private join(from: readonly Held[]): Lineage {
    const shares: Lineage[] = [];
    let line: Line | undefined;
    for (const held of from) {
      const hold = held as Hold; // every Held of this instance was made by `hold` above
      const share = this.end(hold);
      if (share === undefined) throw new ConfigError(`forward in ${this.context.name}: a hold that has ended can't be used again`);
      shares.push(share);
      line = hold.line;
    }
    const [first, ...rest] = shares;
    if (first === undefined) throw new ConfigError(`forward in ${this.context.name}: from is empty`);
    const joint = joinLineages([first, ...rest]);
    if (this.current?.line !== undefined) joint.enter(this.current.line, this.current);
    else if (line !== undefined) joint.enter(line);
    return joint;
  }
}
