import { expect, test } from "vitest";
import type { NodeDescription } from "../../../src/topology/describe.ts";
import { describeDot } from "../../../src/topology/describe-dot.ts";
import { describeMermaid } from "../../../src/topology/describe-mermaid.ts";

const nodes: readonly NodeDescription[] = [
  { role: "source", name: "requests", topics: ["in", "in.retry"] },
  { role: "source", name: "clean", topics: ["clean"] },
  { role: "processor", name: "valid", parents: ["requests"] },
  { role: "sink", name: "to-clean", parents: ["valid"], topic: "clean" },
  { role: "processor", name: "both", parents: ["clean", "clean"] },
  { role: "sink", name: "eu", parents: ["both"], topic: undefined, extractor: "byRegion" },
  { role: "sink", name: "us", parents: ["both"], topic: undefined, extractor: "byRegion" },
];

const awkward: readonly NodeDescription[] = [
  { role: "source", name: `end "a" \\N <b> #1; \`x\` & \\`, topics: ["projects/p/topics/t", `"\n`] },
];

test("Mermaid: topics once, nodes by sub-topology, a dotted arrow to a topic that a function picks", () => {
  expect(describeMermaid(nodes)).toMatchInlineSnapshot(`
    "flowchart TD
      t0[("in")]
      t1[("in.retry")]
      t2[("clean")]
      t3[("byRegion")]
      t4[("byRegion")]
      subgraph s0["Sub-topology: 0"]
        n0["requests"]
        n2["valid"]
        n3["to-clean"]
      end
      subgraph s1["Sub-topology: 1"]
        n1["clean"]
        n4["both"]
        n5["eu"]
        n6["us"]
      end
      t0 --> n0
      t1 --> n0
      t2 --> n1
      n0 --> n2
      n2 --> n3
      n3 --> t2
      n1 --> n4
      n4 --> n5
      n5 -.-> t3
      n4 --> n6
      n6 -.-> t4
    "
  `);
});

test("Mermaid: nothing in a name ends its quotes or is read as HTML, Markdown or an entity", () => {
  expect(describeMermaid(awkward)).toMatchInlineSnapshot(`
    "flowchart TD
      t0[("projects/p/topics/t")]
      t1[("#34;#10;")]
      subgraph s0["Sub-topology: 0"]
        n0["end #34;a#34; #92;N #60;b#62; #35;1; #96;x#96; #38; #92;"]
      end
      t0 --> n0
      t1 --> n0
    "
  `);
});

test("DOT: topics once, nodes by sub-topology, a dashed arrow to a topic that a function picks", () => {
  expect(describeDot(nodes)).toMatchInlineSnapshot(`
    "digraph topology {
      node [shape=box]
      t0 [shape=cylinder, label="in"]
      t1 [shape=cylinder, label="in.retry"]
      t2 [shape=cylinder, label="clean"]
      t3 [shape=cylinder, label="byRegion"]
      t4 [shape=cylinder, label="byRegion"]
      subgraph cluster_0 {
        label="Sub-topology: 0"
        n0 [label="requests"]
        n2 [label="valid"]
        n3 [label="to-clean"]
      }
      subgraph cluster_1 {
        label="Sub-topology: 1"
        n1 [label="clean"]
        n4 [label="both"]
        n5 [label="eu"]
        n6 [label="us"]
      }
      t0 -> n0
      t1 -> n0
      t2 -> n1
      n0 -> n2
      n2 -> n3
      n3 -> t2
      n1 -> n4
      n4 -> n5
      n5 -> t3 [style=dashed]
      n4 -> n6
      n6 -> t4 [style=dashed]
    }
    "
  `);
});

test("DOT: nothing in a name ends its quotes or is read as an escape", () => {
  expect(describeDot(awkward)).toMatchInlineSnapshot(`
    "digraph topology {
      node [shape=box]
      t0 [shape=cylinder, label="projects/p/topics/t"]
      t1 [shape=cylinder, label="\\"\\n"]
      subgraph cluster_0 {
        label="Sub-topology: 0"
        n0 [label="end \\"a\\" \\\\N <b> #1; \`x\` &amp; \\\\"]
      }
      t0 -> n0
      t1 -> n0
    }
    "
  `);
});

test("an empty topology is an empty drawing", () => {
  expect(describeMermaid([])).toBe("flowchart TD\n");
  expect(describeDot([])).toBe("digraph topology {\n  node [shape=box]\n}\n");
});
