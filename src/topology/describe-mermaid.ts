import type { NodeDescription } from "./describe.ts";
import { draw } from "./describe-drawing.ts";

/**
 * Draws a topology as a Mermaid flowchart: topics as cylinders, nodes as boxes, one subgraph per sub-topology, a
 * dotted arrow where the topic is chosen per record.
 *
 * `nodes` come in the order in which they were added: parents before children. Ids count up in that order.
 *
 * **Errors:** `ERR_CONFIG` when two nodes have one name, or a parent isn't among the nodes before.
 * **Source:** https://mermaid.js.org/syntax/flowchart.html (shapes; entity codes in "Special characters").
 */
export function describeMermaid(nodes: readonly NodeDescription[]): string {
  const { topics, parts, arrows } = draw(nodes);
  const lines = [
    "flowchart TD",
    ...topics.map(({ id, label }) => `  ${id}[(${quoted(label)})]`),
    ...parts.flatMap((part, id) => [
      `  subgraph s${id}[${quoted(`Sub-topology: ${id}`)}]`,
      ...part.map((shape) => `    ${shape.id}[${quoted(shape.label)}]`),
      "  end",
    ]),
    ...arrows.map(({ from, to, chosen }) => `  ${from} ${chosen ? "-.->" : "-->"} ${to}`),
  ];
  return `${lines.join("\n")}\n`;
}

/** Text between quotes; what could end it, or be read as HTML, Markdown or an entity, is written as an entity code. */
function quoted(text: string): string {
  return `"${text.replaceAll(/["#&<>`\\\n\r]/g, (character) => `#${character.charCodeAt(0)};`)}"`;
}
