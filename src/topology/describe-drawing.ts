import { extractorName, type NodeDescription, type SinkDescription } from "./describe.ts";
import { subTopologies } from "./describe-order.ts";

/** A box of a drawing. Ids count up in the order of the nodes and need no escaping; labels are as the user gave them. */
export interface Shape {
  readonly id: string;
  readonly label: string;
}

/** An arrow between two ids; `chosen`: the topic is picked per record by a function. */
export interface Arrow {
  readonly from: string;
  readonly to: string;
  readonly chosen: boolean;
}

/** A topology as shapes and arrows: what Mermaid and DOT have in common. */
export interface Drawing {
  /** Each topic once, so that a topic which one part writes and another reads joins the two. */
  readonly topics: readonly Shape[];
  /** The nodes of each sub-topology. */
  readonly parts: readonly (readonly Shape[])[];
  readonly arrows: readonly Arrow[];
}

/**
 * Gives every node and topic an id, and lists the arrows between them, in the order of the nodes.
 *
 * **Errors:** `ERR_CONFIG` when two nodes have one name, or a parent isn't among the nodes before.
 */
export function draw(nodes: readonly NodeDescription[]): Drawing {
  const parts = subTopologies(nodes);
  const shapes = new Map(nodes.map(({ name }, index) => [name, { id: `n${index}`, label: name }]));
  const topics = new Map<string | SinkDescription, Shape>();
  const topic = (key: string | SinkDescription): string => {
    const label = typeof key === "string" ? key : extractorName(key);
    const shape = topics.get(key) ?? { id: `t${topics.size}`, label };
    topics.set(key, shape);
    return shape.id;
  };
  const arrows = nodes.flatMap((node): Arrow[] => {
    const id = idOf(shapes, node.name);
    if (node.role === "source")
      return unique(node.topics).map((name) => ({ from: topic(name), to: id, chosen: false }));
    const inward = unique(node.parents).map((parent) => ({ from: idOf(shapes, parent), to: id, chosen: false }));
    if (node.role === "processor") return inward;
    // A function is its own target, whatever its name: two sinks may choose different topics.
    return [...inward, { from: id, to: topic(node.topic ?? node), chosen: node.topic === undefined }];
  });
  return {
    topics: [...topics.values()],
    parts: parts.map((part) => part.map(({ name }) => ({ id: idOf(shapes, name), label: name }))),
    arrows,
  };
}

function idOf(shapes: ReadonlyMap<string, Shape>, name: string): string {
  return shapes.get(name)?.id ?? name;
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}
