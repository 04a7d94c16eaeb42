import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ConfigError } from "../../../src/core/errors.ts";
import { describeText, type NodeDescription } from "../../../src/topology/describe.ts";
import { descriptions } from "../../golden/descriptions.ts";

const golden = new URL("../../golden/", import.meta.url);

function read(file: string): string {
  return readFileSync(new URL(file, golden), "utf8");
}

describe("describeText writes what Kafka Streams writes", () => {
  test("there is a description for every text, and a text for every description", () => {
    const texts = readdirSync(new URL("topologies/", golden)).map((file) => file.replace(/\.txt$/, ""));
    expect(Object.keys(descriptions).toSorted()).toEqual(texts.toSorted());
  });

  test.each(Object.entries(descriptions))("%s", (name, nodes) => {
    expect(describeText(nodes)).toBe(read(`topologies/${name}.txt`));
  });

  // Graphs drawn at random there: several parents, unlike sizes, names whose hash order is all over the place.
  const random = JSON.parse(read("random.json")) as { nodes: NodeDescription[]; text: string }[];
  test.each(random.map(({ nodes, text }) => ({ count: nodes.length, nodes, text })))(
    "a random graph of $count nodes",
    ({ nodes, text }) => {
      expect(describeText(nodes)).toBe(text);
    },
  );
});

describe("describeText, where Kafka Streams has no text to compare with", () => {
  const source: NodeDescription = { role: "source", name: "in", topics: ["in"] };

  test("a function without a name that picks the topic is called function", () => {
    const sink: NodeDescription = { role: "sink", name: "out", parents: ["in"], topic: undefined };
    expect(describeText([source, sink])).toContain("    Sink: out (extractor class: function)\n");
    expect(describeText([source, { ...sink, extractor: "" }])).toContain("    Sink: out (extractor class: function)\n");
  });

  test("a parent that is given twice is printed once", () => {
    const merge: NodeDescription = { role: "processor", name: "merge", parents: ["in", "in"] };
    expect(describeText([source, merge])).toContain("      --> none\n      <-- in\n");
  });

  test("two nodes of one name are refused", () => {
    expect(() => describeText([source, { role: "processor", name: "in", parents: [] }])).toThrow(ConfigError);
    expect(() => describeText([source, source])).toThrow('two nodes are named "in"');
  });

  test("a parent that comes later, or never, is refused", () => {
    const peek: NodeDescription = { role: "processor", name: "peek", parents: ["in"] };
    expect(() => describeText([peek, source])).toThrow(`node "peek": its parent "in" isn't among the nodes before it`);
  });

  test("a long chain of diamonds, which has 2^60 paths, takes no time", () => {
    const nodes: NodeDescription[] = [source];
    for (let index = 0; index < 60; index++) {
      const parents = [index === 0 ? "in" : `merge-${index - 1}`];
      nodes.push({ role: "processor", name: `left-${index}`, parents });
      nodes.push({ role: "processor", name: `right-${index}`, parents });
      nodes.push({ role: "processor", name: `merge-${index}`, parents: [`left-${index}`, `right-${index}`] });
    }
    expect(describeText(nodes)).toMatch(/^Topologies:\n {3}Sub-topology: 0\n {4}Source: in /);
  });
});
