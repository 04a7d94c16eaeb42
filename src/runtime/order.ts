import type { OperatorNode, Ordered, TopologyNode } from "../topology/nodes.ts";
import { isOperator } from "../topology/topology.ts";

/** How the order of each source is kept, and which nodes are exempt from it. */
export interface Orders {
  /** By source: the strictest that any node downstream asks; `partition` where a way on asks nothing, or none asks. */
  readonly bySource: ReadonlyMap<string, Ordered>;
  /** Nodes from which all ways on lead through `ordered: false` only: what reaches them leaves its line. The first ones on each way. */
  readonly unordered: ReadonlySet<string>;
}

export function ordersOf(nodes: readonly TopologyNode[]): Orders {
  const asked = new Map<string, Set<Ordered>>(); // by node: what the nodes on the way to it ask
  const sources = new Map<string, Set<string>>(); // by node: the sources that reach it
  const bySource = new Map<string, Set<Ordered | undefined>>();
  const kept = new Set<string>(); // nodes from which a way goes on that keeps order
  for (const node of nodes) {
    if (!isOperator(node)) {
      asked.set(node.name, new Set());
      sources.set(node.name, new Set([node.name]));
      bySource.set(node.name, new Set());
      continue;
    }
    const own = union(node, asked);
    if (node.ordered !== undefined) own.add(node.ordered);
    asked.set(node.name, own);
    const from = union(node, sources);
    sources.set(node.name, from);
    if (!node.terminal) continue;
    if (own.size !== 1 || !own.has(false)) kept.add(node.name);
    for (const source of from) for (const ordered of orNothing(own)) bySource.get(source)?.add(ordered);
  }
  return {
    bySource: new Map([...bySource].map(([source, set]) => [source, strictest(set)])),
    unordered: firstFree(nodes, kept),
  };
}

function union<T>(node: OperatorNode, sets: ReadonlyMap<string, ReadonlySet<T>>): Set<T> {
  return new Set(node.parents.flatMap((parent) => [...(sets.get(parent) ?? [])]));
}

function orNothing(asked: ReadonlySet<Ordered>): ReadonlySet<Ordered | undefined> {
  return asked.size === 0 ? new Set([undefined]) : asked;
}

function strictest(asked: ReadonlySet<Ordered | undefined>): Ordered {
  if (asked.has("partition")) return "partition";
  if (asked.has("key")) return "key";
  // A sink that asks nothing gets the order of the partition, even when its neighbour has given that up.
  return asked.size > 0 && !asked.has(undefined) ? false : "partition";
}

/** @param kept terminal nodes that keep order; all from which they are reached are added */
function firstFree(nodes: readonly TopologyNode[], kept: Set<string>): Set<string> {
  for (const node of nodes.toReversed()) {
    if (isOperator(node) && kept.has(node.name)) for (const parent of node.parents) kept.add(parent);
  }
  const isFree = (node: TopologyNode): node is OperatorNode => isOperator(node) && !kept.has(node.name);
  const first = nodes.filter(isFree).filter(({ parents }) => parents.some((parent) => kept.has(parent)));
  return new Set(first.map(({ name }) => name));
}
