import { map as mapEach, type OperatorFunction, type SchedulerLike, type Subject, Subscription } from "rxjs";
import type { DeliveryLineage } from "../core/lineage.ts";
import { StreamRecord } from "../core/record.ts";
import type { Tracing } from "../core/tracing.ts";
import { decode } from "../operators/decode.ts";
import type { AnyEnvelope } from "../operators/envelope.ts";
import { nodeMetrics, type NodeContext } from "../operators/node-context.ts";
import type { Pressure } from "../operators/pressure.ts";
import type { InputNode, NodeResources, OperatorNode, SourceNode, TopologyNode } from "../topology/nodes.ts";
import { isOperator, type Topology } from "../topology/topology.ts";
import type { ErrorPolicy, ErrorSeam } from "./error-policy.ts";
import type { InputDelivery } from "./inputs.ts";
import type { Route } from "./intake.ts";
import type { AppMetrics } from "./metrics.ts";
import { ordersOf } from "./order.ts";
import { Inlet, Outlet } from "./outlet.ts";

/** What a pipeline is made with. */
export interface PipelineParts {
  readonly metrics: AppMetrics;
  readonly results: ReadonlyMap<string, Subject<StreamRecord<unknown, unknown>>>;
  readonly errors: ErrorPolicy;
  readonly pressure: Pressure;
  readonly scheduler: SchedulerLike;
  readonly tracing: Tracing | undefined;
  readonly resources: (node: OperatorNode) => NodeResources;
  /** The pipeline itself broke: an Observable of RxJS failed. */
  readonly broken: (cause: unknown) => void;
}

/** A topology as connected RxJS operators. */
export interface Pipeline {
  /** By source name. */
  readonly routes: ReadonlyMap<string, Route>;
  readonly subscription: Subscription;
  /** Tells every node that a drain has begun. */
  readonly drain: () => void;
}

/** Compiles a topology: one operator per node, each subscribed to its inlet, each emitting into the inlets behind it. */
export function compile(topology: Topology, parts: PipelineParts): Pipeline {
  return new Compiler(topology, parts).compile();
}

class Compiler {
  private readonly topology: Topology;
  private readonly parts: PipelineParts;
  private readonly outlets = new Map<string, Outlet>();
  private readonly routes = new Map<string, Route>();
  private readonly subscription = new Subscription();
  /** One per node: more than ten listeners on one signal are a leak to Node.js, which warns. */
  private readonly draining: AbortController[] = [];

  constructor(topology: Topology, parts: PipelineParts) {
    this.topology = topology;
    this.parts = parts;
  }

  compile(): Pipeline {
    const orders = ordersOf(this.topology.nodes);
    for (const node of this.topology.nodes) {
      if (isOperator(node)) this.addOperator(node, orders.unordered.has(node.name));
      else this.addSource(node, orders.bySource.get(node.name) ?? "partition");
    }
    const drain = (): void => {
      for (const controller of this.draining) controller.abort();
    };
    return { routes: this.routes, subscription: this.subscription, drain };
  }

  private addSource(node: SourceNode | InputNode, ordered: Route["ordered"]): void {
    const inlet = new Inlet<DeliveryLineage>();
    const context = this.contextOf(node, "decode");
    const records = node.role === "source" ? decode(node, context) : inputs(context);
    this.subscription.add(inlet.pipe(records).subscribe(this.outletOf(node)));
    this.routes.set(node.name, { inlet, ordered });
  }

  private addOperator(node: OperatorNode, unordered: boolean): void {
    const inlet = new Inlet<AnyEnvelope>();
    const operator = node.operator(this.contextOf(node, node.seam), this.parts.resources(node));
    const output = unordered ? inlet.pipe(stepOut, operator) : inlet.pipe(operator);
    this.subscription.add(output.subscribe(this.outletOf(node)));
    for (const parent of node.parents) this.outlets.get(parent)?.connect(inlet, node.branch);
  }

  private outletOf({ name }: TopologyNode): Outlet {
    const { metrics, results, broken } = this.parts;
    const subject = results.get(name);
    if (subject === undefined) throw new TypeError(`${name} has no results: the app and its topology differ`);
    const outlet = new Outlet(metrics.nodes.get(name) ?? nodeMetrics(), subject, broken);
    this.outlets.set(name, outlet);
    return outlet;
  }

  private contextOf(node: TopologyNode, seam: ErrorSeam): NodeContext {
    const { errors, pressure, scheduler, tracing } = this.parts;
    const draining = new AbortController();
    this.draining.push(draining);
    const metrics = this.parts.metrics.nodes.get(node.name) ?? nodeMetrics();
    return {
      name: node.name,
      errors: errors.forNode(node.name, seam, node.onError, metrics),
      scheduler,
      metrics,
      pressure,
      draining: draining.signal,
      ...(tracing !== undefined && { tracing }),
    };
  }
}

/** A sink that keeps no order: its records wait for nobody. */
const stepOut: OperatorFunction<AnyEnvelope, AnyEnvelope> = mapEach((envelope) => {
  envelope.lineage.stepOut();
  return envelope;
});

/** Records of a source that the program feeds: its values need no decoding. */
function inputs({ metrics }: NodeContext): OperatorFunction<DeliveryLineage, AnyEnvelope> {
  return mapEach((lineage) => {
    metrics.processed += 1;
    const delivery = lineage.delivery as InputDelivery; // an input node's route gets no other
    const { value, timestamp, origin } = delivery;
    return { record: new StreamRecord(null, value, [], timestamp, origin), lineage };
  });
}
