import { byId } from "./dom.js";
import { getText } from "./requests.js";

const namespace = "http://www.w3.org/2000/svg";

/** Nodes in the drawing by name: where their numbers are written, and the bar of their busy share. */
const nodes = new Map();

/** Puts the service's drawing of the topology into the page. */
export async function drawTopology() {
  const drawn = new DOMParser().parseFromString(await getText("topology.svg"), "image/svg+xml").documentElement;
  const svg = document.importNode(drawn, true);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-labelledby", "topology-heading");
  byId("drawing").replaceChildren(svg);
  for (const title of svg.querySelectorAll("g > title")) title.remove(); // Graphviz' own names, shown as tooltips
  for (const node of svg.querySelectorAll(".node:has(polygon)")) {
    nodes.set(node.querySelector("text").textContent, withNumbers(node));
  }
}

/** Makes room for numbers below the name of a node. */
function withNumbers(node) {
  const name = node.querySelector("text");
  const { x, y, width, height } = node.querySelector("polygon").getBBox();
  const busy = svgElement("rect", { class: "busy", x, y: y + height - 4, width: 0, height: 4 });
  const numbers = svgElement("text", {
    class: "numbers",
    x: x + width / 2,
    y: y + height - 13,
    "text-anchor": "middle",
  });
  name.setAttribute("y", y + height / 2 - 3);
  node.append(busy, numbers);
  return { busy, numbers, width };
}

/** Writes what each node does into the drawing: what waits in front of it, what leaves it, and how busy it is. */
export function drawNodes(stats) {
  for (const [name, { depth, rate, busy }] of Object.entries(stats)) {
    const node = nodes.get(name);
    if (node === undefined) continue;
    node.numbers.textContent = `${depth} waiting · ${rate}/s · ${Math.round(100 * busy)} % busy`;
    node.busy.setAttribute("width", node.width * Math.min(1, busy));
  }
}

function svgElement(name, attributes) {
  const made = document.createElementNS(namespace, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
