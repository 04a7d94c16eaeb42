import { ConfigError } from "../core/errors.ts";
import { TreeSet } from "./tree-set.ts";

/** What the order of a description depends on. A source has no parents. */
export interface GraphNode {
  readonly name: string;
  readonly parents?: readonly string[];
}

/** A node with the names of its neighbours in the order in which Kafka Streams prints them. */
export interface PlacedNode<N extends GraphNode> {
  readonly node: N;
  readonly successors: readonly string[];
  readonly predecessors: readonly string[];
}

interface Placing<N extends GraphNode> {
  readonly node: N;
  readonly index: number;
  readonly successors: TreeSet<Placing<N>>;
  readonly predecessors: TreeSet<Placing<N>>;
  /** The nodes below, itself included; a node that is reached by two paths counts twice. Grows while edges are added. */
  size: number;
}

/**
 * The connected parts of a graph, in the order of the first node of each; each keeps the order of its nodes.
 *
 * `nodes` have their parents before them.
 *
 * **Errors:** `ERR_CONFIG` when two nodes have one name, or a parent isn't among the nodes before.
 */
export function subTopologies<N extends GraphNode>(nodes: readonly N[]): N[][] {
  // Each name leads to another of the same part, in the end to its root, which leads to itself.
  const onward = new Map<string, string>();
  for (const { name, parents = [] } of nodes) {
    if (onward.has(name)) throw new ConfigError(`two nodes are named "${name}"`);
    const joined = parents.map((parent) => rootOf(onward, parent, name));
    const [root = name] = joined;
    for (const member of [name, ...joined]) onward.set(member, root);
  }
  const parts = new Map<string, N[]>();
  for (const node of nodes) {
    const root = rootOf(onward, node.name, node.name);
    const part = parts.get(root);
    if (part === undefined) parts.set(root, [node]);
    else part.push(node);
  }
  return [...parts.values()];
}

function rootOf(onward: ReadonlyMap<string, string>, name: string, child: string): string {
  let root = onward.get(name);
  if (root === undefined)
    throw new ConfigError(`node "${child}": its parent "${name}" isn't among the nodes before it`);
  for (let next = onward.get(root); next !== undefined && next !== root; next = onward.get(next)) root = next;
  return root;
}

/**
 * Orders the nodes of one sub-topology, and the neighbours of each, as Kafka Streams prints them.
 *
 * Nodes: the larger sub-tree first, then by name. Neighbours: by the same rule, but with the sizes at the moment when
 * the edge was added; the edges are added node by node in the order of a Java HashMap of the names.
 *
 * Source: `describeSubtopology`, `updateSize` and `NodeComparator` in `InternalTopologyBuilder`, kafka-streams 4.3.1.
 */
export function placeNodes<N extends GraphNode>(nodes: readonly N[]): PlacedNode<N>[] {
  const placings = nodes.map((node, index): Placing<N> => ({
    node,
    index,
    successors: new TreeSet<Placing<N>>(largerFirst),
    predecessors: new TreeSet<Placing<N>>(largerFirst),
    size: 1,
  }));
  const byName = new Map(placings.map((placing) => [placing.node.name, placing]));
  for (const name of inHashOrder([...byName.keys()], grownCapacity(byName.size))) {
    const placing = byName.get(name);
    for (const parent of new Set(placing?.node.parents)) {
      const predecessor = byName.get(parent);
      if (placing === undefined || predecessor === undefined) continue;
      placing.predecessors.add(predecessor);
      predecessor.successors.add(placing);
      grow(placings, predecessor, placing.size);
    }
  }
  return placings.toSorted(largerFirst).map(({ node, successors, predecessors }) => ({
    node,
    successors: successors.values().map((successor) => successor.node.name),
    predecessors: predecessors.values().map((predecessor) => predecessor.node.name),
  }));
}

function largerFirst<N extends GraphNode>(a: Placing<N>, b: Placing<N>): number {
  if (a.size !== b.size) return b.size - a.size;
  if (a.node.name === b.node.name) return 0;
  return a.node.name < b.node.name ? -1 : 1;
}

/** Adds `delta` to `from` and, once for each path that was linked so far, to all above it. */
function grow<N extends GraphNode>(placings: readonly Placing<N>[], from: Placing<N>, delta: number): void {
  // Kafka Streams walks every path; a chain of diamonds has 2^n of them. Parents come first, so one pass can count them.
  const paths = new Map([[from, 1]]);
  for (const placing of placings.slice(0, from.index + 1).toReversed()) {
    const count = paths.get(placing);
    if (count === undefined) continue;
    placing.size += delta * count;
    for (const above of placing.predecessors.values()) paths.set(above, (paths.get(above) ?? 0) + count);
  }
}

/**
 * The topics of a source, each once, in the order in which Kafka Streams prints them: that of a Java HashSet.
 *
 * Source: `new HashSet<>(topics)` in `SourceNodeFactory.describe`, as JDK 17 sizes it. (Later JDKs may take the next
 * smaller table for exactly 12, 24, 48, … topics, so that there is no one order to match.)
 */
export function topicOrder(topics: readonly string[]): string[] {
  const distinct = [...new Set(topics)];
  let capacity = 16;
  while (capacity < Math.floor(distinct.length / 0.75) + 1) capacity *= 2;
  return inHashOrder(distinct, capacity);
}

/** The size of a Java hash table to which `count` entries were added one by one: 16, doubled when 3/4 are exceeded. */
function grownCapacity(count: number): number {
  let capacity = 16;
  while (count > capacity * 0.75) capacity *= 2;
  return capacity;
}

/**
 * The order in which a `java.util.HashMap` with `capacity` buckets hands out keys that were added in the given order.
 *
 * It is deterministic: buckets in order, and within a bucket the order of adding. (A bucket of more than eight keys
 * would become a tree with an order of its own; that takes names chosen for it, and isn't reproduced.)
 */
function inHashOrder(keys: readonly string[], capacity: number): string[] {
  const bucket = new Map(keys.map((key) => [key, spread(javaHash(key)) & (capacity - 1)]));
  return keys.toSorted((a, b) => (bucket.get(a) ?? 0) - (bucket.get(b) ?? 0));
}

/** `String.hashCode()` */
function javaHash(text: string): number {
  let hash = 0;
  for (let at = 0; at < text.length; at++) hash = (Math.imul(31, hash) + text.charCodeAt(at)) | 0;
  return hash;
}

/** `HashMap.hash()` */
function spread(hash: number): number {
  return hash ^ (hash >>> 16);
}
