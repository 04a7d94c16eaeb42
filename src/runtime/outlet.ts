import { Observable, Subscriber, type Subject } from "rxjs";
import type { StreamRecord } from "../core/record.ts";
import type { Branched } from "../operators/branch.ts";
import type { AnyEnvelope } from "../operators/envelope.ts";
import type { NodeMetrics } from "../operators/node-context.ts";

/** Where a node's input comes in: an Observable with exactly one subscriber, the node's operator. */
export class Inlet<T> extends Observable<T> {
  private out: Subscriber<T> | undefined = undefined;

  constructor() {
    super((subscriber) => {
      this.out = subscriber;
    });
  }

  next(value: T): void {
    this.out?.next(value);
  }
}

/** Where a node's output goes: to the nodes behind it, each of which gets a share of its own, and to whoever watches. */
export class Outlet extends Subscriber<AnyEnvelope> {
  private readonly broken: (cause: unknown) => void;
  private readonly metrics: NodeMetrics;
  private readonly results: Subject<StreamRecord<unknown, unknown>>;
  private readonly children: Inlet<AnyEnvelope>[] = [];
  private readonly branches = new Map<number, Inlet<AnyEnvelope>>();

  /** @param broken is called when the node's Observable fails */
  constructor(
    metrics: NodeMetrics,
    results: Subject<StreamRecord<unknown, unknown>>,
    broken: (cause: unknown) => void,
  ) {
    super(); // oxlint-disable-line typescript/no-deprecated -- as in operate.ts
    this.broken = broken;
    this.metrics = metrics;
    this.results = results;
  }

  connect(child: Inlet<AnyEnvelope>, branch: number | undefined): void {
    if (branch === undefined) this.children.push(child);
    else this.branches.set(branch, child);
  }

  protected override _next(envelope: AnyEnvelope): void {
    this.metrics.emitted += 1;
    if (this.results.observed) this.results.next(envelope.record);
    if (this.branches.size > 0) this.branches.get((envelope as Branched<unknown, unknown>).branch)?.next(envelope);
    else if (this.children.length === 1) this.children[0]?.next(envelope);
    else this.fanOut(envelope);
  }

  protected override _error(cause: unknown): void {
    this.broken(cause);
  }

  /** The children's shares stand before the record's own, which ends last: the count is never zero on the way. */
  private fanOut({ record, lineage }: AnyEnvelope): void {
    for (const child of this.children) child.next({ record, lineage: lineage.fork() });
    lineage.done();
  }
}
