import type { OperatorNode, Ordered, TopologyNode } from "../topology/nodes.ts";
import { isOperator } from "../topology/topology.ts";

/** How the order of each source is kept, and which nodes are exempt from it. */
export interface Orders {
  /** By source: the strictest that any node downstream asks; `partition` where none asks. */
  readonly bySource: ReadonlyMap<string, Ordered>;
  /** Terminal nodes all of whose reordering nodes upstream are `ordered: false`: what they get leaves at once. */
  readonly unordered: ReadonlySet<string>;
}

export function ordersOf(nodes: readonly TopologyNode[]): Orders {
  const asked = new Map<string, Set<Ordered>>(); // by node: what the nodes on the way to it ask
  const sources = new Map<string, Set<string>>(); // by node: the sources that reach it
  const bySource = new Map<string, Set<Ordered>>();
  const unordered = new Set<string>();
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
    if (own.size === 1 && own.has(false)) unordered.add(node.name);
    for (const source of from) for (const ordered of own) bySource.get(source)?.add(ordered);
  }
  return { bySource: new Map([...bySource].map(([source, set]) => [source, strictest(set)])), unordered };
}

function union<T>(node: OperatorNode, sets: ReadonlyMap<string, ReadonlySet<T>>): Set<T> {
  return new Set(node.parents.flatMap((parent) => [...(sets.get(parent) ?? [])]));
}

function strictest(asked: ReadonlySet<Ordered>): Ordered {
  if (asked.size === 0 || asked.has("partition")) return "partition";
  return asked.has("key") ? "key" : false;
}
