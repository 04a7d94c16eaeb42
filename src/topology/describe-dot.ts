import type { NodeDescription } from "./describe.ts";
import { draw } from "./describe-drawing.ts";

/**
 * Draws a topology in Graphviz' DOT language: topics as cylinders, nodes as boxes, one cluster per sub-topology, a
 * dashed arrow where the topic is chosen per record.
 *
 * `nodes` come in the order in which they were added: parents before children. Ids count up in that order.
 *
 * **Errors:** `ERR_CONFIG` when two nodes have one name, or a parent isn't among the nodes before.
 * **Source:** https://graphviz.org/doc/info/lang.html (quoted strings), https://graphviz.org/docs/attr-types/escString/.
 */
export function describeDot(nodes: readonly NodeDescription[]): string {
  const { topics, parts, arrows } = draw(nodes);
  const lines = [
    "digraph topology {",
    "  node [shape=box]",
    ...topics.map(({ id, label }) => `  ${id} [shape=cylinder, label=${quoted(label)}]`),
    ...parts.flatMap((part, id) => [
      `  subgraph cluster_${id} {`,
      `    label=${quoted(`Sub-topology: ${id}`)}`,
      ...part.map((shape) => `    ${shape.id} [label=${quoted(shape.label)}]`),
      "  }",
    ]),
    ...arrows.map(({ from, to, chosen }) => `  ${from} -> ${to}${chosen ? " [style=dashed]" : ""}`),
    "}",
  ];
  return `${lines.join("\n")}\n`;
}

/** Text between quotes. A backslash would start an escape (`\N` is the node's id), `&` an entity; a line break must be one. */
function quoted(text: string): string {
  const escaped = text
    .replaceAll(/[\\"]/g, "\\$&")
    .replaceAll("&", "&amp;")
    .replaceAll(/\r\n?|\n/g, "\\n");
  return `"${escaped}"`;
}
