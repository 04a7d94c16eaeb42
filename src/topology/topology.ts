import { ConfigError } from "../core/errors.ts";
import { describeDot } from "./describe-dot.ts";
import { describeMermaid } from "./describe-mermaid.ts";
import { describeText, type NodeDescription } from "./describe.ts";
import { checkName } from "./graph.ts";
import type { OperatorNode, TopologyNode } from "./nodes.ts";

export type DescribeFormat = "text" | "mermaid" | "dot";

/**
 * An immutable graph of named nodes: what runs, not how. It opens nothing; one value may run in several apps, on several brokers.
 *
 * Made by `StreamsBuilder.build()`.
 */
export class Topology {
  /** In the order in which they were added: parents before children. */
  readonly nodes: readonly TopologyNode[];

  /** Errors: `ERR_CONFIG` for a name that two nodes bear, a stream that ends nowhere, a topic that two sources read, no source at all. */
  constructor(nodes: readonly TopologyNode[]) {
    validate(nodes);
    this.nodes = Object.freeze([...nodes]);
    Object.freeze(this);
  }

  /** The graph as text: exactly Kafka Streams' format, which its viewers read; or as a Mermaid flowchart, or for Graphviz. */
  describe(format: DescribeFormat = "text"): string {
    const nodes = this.nodes.map(describable);
    if (format === "mermaid") return describeMermaid(nodes);
    if (format === "dot") return describeDot(nodes);
    return describeText(nodes);
  }

  toString(): string {
    return this.describe();
  }
}

function describable(node: TopologyNode): NodeDescription {
  if (node.role === "source") return { role: "source", name: node.name, topics: node.topics };
  if (node.role === "input") return { role: "source", name: node.name, topics: [] };
  const { name, parents, topic, extractor } = node;
  return node.role === "sink"
    ? { role: "sink", name, parents, topic, extractor }
    : { role: "processor", name, parents };
}

function validate(nodes: readonly TopologyNode[]): void {
  if (!nodes.some((node) => node.role === "source" || node.role === "input")) {
    throw new ConfigError("a topology needs at least one source: call stream() or fromObservable() before build()");
  }
  const names = new Set<string>();
  const readBy = new Map<string, string>();
  for (const node of nodes) {
    if (names.has(node.name))
      throw new ConfigError(`two nodes are named ${node.name}; give one of them another { name }`);
    names.add(node.name);
    if (node.role === "source") for (const topic of node.topics) readOnce(readBy, topic, node.name);
    if (node.role === "sink" && node.topic !== undefined) checkName("topic", node.topic);
  }
  const parents = new Set(nodes.flatMap((node) => (isOperator(node) ? node.parents : [])));
  for (const node of nodes) {
    const ends = isOperator(node) && node.terminal;
    if (!ends && !parents.has(node.name)) {
      throw new ConfigError(`the stream of ${node.name} ends nowhere: end it with to(), print() or foreach()`);
    }
  }
}

function readOnce(readBy: Map<string, string>, topic: string, name: string): void {
  checkName("topic", topic);
  const other = readBy.get(topic);
  if (other !== undefined) {
    throw new ConfigError(
      `topic ${topic} is read by ${other} and by ${name}: call stream() once and use its result twice`,
    );
  }
  readBy.set(topic, name);
}

export function isOperator(node: TopologyNode): node is OperatorNode {
  return node.role === "processor" || node.role === "sink";
}
