import { nodeMetrics, type NodeMetrics } from "../operators/node-context.ts";
import type { Topology } from "../topology/topology.ts";

/** Live counters of an app; read them as often as you like. They go on through restarts of the session. */
export interface AppMetrics {
  /** Deliveries handed out by the broker. */
  delivered: number;
  /** Those of them that were not the first delivery of their record, as far as the broker knows. */
  redelivered: number;
  /** Deliveries acked. */
  settled: number;
  /** Deliveries given back undone. */
  released: number;
  /** Deliveries whose lane was lost before they were done: another session gets them. */
  lost: number;
  /** Positions up to which a lane became durably done. */
  commits: number;
  /** Dead letters written. */
  deadLetters: number;
  /** Times that session and pipeline were replaced. */
  restarts: number;
  /** Deliveries that are neither settled, given back nor lost. */
  inFlight: number;
  /** By node name, in the order of the topology. */
  readonly nodes: ReadonlyMap<string, NodeMetrics>;
}

export function appMetrics(topology: Topology): AppMetrics {
  return {
    delivered: 0,
    redelivered: 0,
    settled: 0,
    released: 0,
    lost: 0,
    commits: 0,
    deadLetters: 0,
    restarts: 0,
    inFlight: 0,
    nodes: new Map(topology.nodes.map(({ name }) => [name, nodeMetrics()])),
  };
}
