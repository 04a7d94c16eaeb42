import { placeNodes, type PlacedNode, subTopologies, topicOrder } from "./describe-order.ts";

/** Where records come in: one node for one or several topics. */
export interface SourceDescription {
  readonly role: "source";
  readonly name: string;
  readonly topics: readonly string[];
}

/** Any node between a source and a sink, `print` and `foreach` included. */
export interface ProcessorDescription {
  readonly role: "processor";
  readonly name: string;
  readonly parents: readonly string[];
}

/** Where records go out to a topic. */
export interface SinkDescription {
  readonly role: "sink";
  readonly name: string;
  readonly parents: readonly string[];
  /** `undefined`: chosen per record by a function. */
  readonly topic: string | undefined;
  /** The name of that function. @default "function" */
  readonly extractor?: string | undefined;
}

/** One node of a topology, as plain data: all that a description needs to know. */
export type NodeDescription = SourceDescription | ProcessorDescription | SinkDescription;

/**
 * Describes a topology in the text format of Kafka Streams, byte for byte, so that viewers of that format read it.
 *
 * `nodes` come in the order in which they were added: parents before children.
 * The order within the text: sub-topologies by their first node; nodes and neighbours as `placeNodes` has it; topics
 * of a source as `topicOrder` has it. A sink with a function prints `(extractor class: <its name>)`, where Kafka
 * Streams prints the extractor's `toString()`.
 *
 * **Errors:** `ERR_CONFIG` when two nodes have one name, or a parent isn't among the nodes before.
 * **Source:** `InternalTopologyBuilder.describe()` of kafka-streams 4.3.1; its own texts are in `test/golden`.
 */
export function describeText(nodes: readonly NodeDescription[]): string {
  const parts = subTopologies(nodes).map((part, id) => {
    const lines = placeNodes(part).map((placed) => `    ${nodeText(placed)}\n`);
    return `  Sub-topology: ${id}\n${lines.join("")}\n`;
  });
  // The blank after the first line makes the first sub-topology stand one column further right than the others.
  return `Topologies:\n ${parts.join("")}`;
}

/** What stands for the topic of a sink whose topic is chosen per record. */
export function extractorName(sink: SinkDescription): string {
  return sink.extractor || "function";
}

function nodeText({ node, successors, predecessors }: PlacedNode<NodeDescription>): string {
  const after = `\n      --> ${names(successors)}`;
  const before = `\n      <-- ${names(predecessors)}`;
  switch (node.role) {
    case "source":
      return `Source: ${node.name} (topics: [${topicOrder(node.topics).join(", ")}])${after}`;
    case "processor":
      return `Processor: ${node.name} (stores: [])${after}${before}`;
    case "sink":
      return `Sink: ${node.name} (${sinkTarget(node)})${before}`;
  }
}

function sinkTarget(sink: SinkDescription): string {
  return sink.topic === undefined ? `extractor class: ${extractorName(sink)}` : `topic: ${sink.topic}`;
}

function names(neighbours: readonly string[]): string {
  return neighbours.length === 0 ? "none" : neighbours.join(", ");
}
