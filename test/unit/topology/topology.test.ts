import { of } from "rxjs";
import { describe, expect, test } from "vitest";
import { type KStream, type Model, numberSerde, stringSerde, StreamsBuilder } from "../../../src/index.ts";

const text = { value: stringSerde };
const yes = (): boolean => true;

type Text = KStream<string | null, string>;

function start(builder = new StreamsBuilder()): Text {
  return builder.stream("in", text);
}

describe("a topology", () => {
  function built(): StreamsBuilder {
    const builder = new StreamsBuilder();
    const stream = builder.stream(["a", "b"], { ...text, name: "requests" });
    const branches = stream.split({ name: "s-" }).branch(yes, { name: "left" }).defaultBranch({ name: "right" });
    branches
      .get("s-left")
      .merge(branches.get("s-right"), { name: "both" })
      .to("out", { ...text, name: "results" });
    return builder;
  }

  test("is frozen, and all that is in it", () => {
    const topology = built().build();
    expect(Object.isFrozen(topology)).toBe(true);
    expect(Object.isFrozen(topology.nodes)).toBe(true);
    for (const node of topology.nodes) expect(Object.isFrozen(node)).toBe(true);
    const [source] = topology.nodes;
    expect(Object.isFrozen(source?.role === "source" && source.topics)).toBe(true);
  });

  test("does not grow with its builder", () => {
    const builder = built();
    const topology = builder.build();
    builder.stream("late", text).print({ name: "late" });
    expect(topology.nodes.map(({ name }) => name)).not.toContain("late");
    expect(builder.build().nodes.map(({ name }) => name)).toContain("late");
  });

  test("holds its nodes in the order of the calls, parents before children", () => {
    expect(
      built()
        .build()
        .nodes.map(({ name }) => name),
    ).toEqual(["requests", "s-", "s-left", "s-right", "both", "results"]);
  });

  test("names what is ours in the manner of Kafka Streams", () => {
    const builder = new StreamsBuilder();
    const model = (): Promise<Model<number, number>> => Promise.reject(new Error("is never opened"));
    builder
      .fromObservable(of(1, 2))
      .mapAsync((value) => value)
      .concatMap((value) => [value])
      .mergeMap((value) => [value], { concurrency: 2 })
      .batch({ maxSize: 8 })
      .mapBatch((values) => values)
      .batch({ maxSize: 8 })
      .infer(model, (_, output) => output)
      .to("out", { value: numberSerde });
    expect(builder.build().nodes.map(({ name }) => name)).toEqual([
      "KSTREAM-SOURCE-0000000000",
      "KSTREAM-MAPASYNC-0000000001",
      "KSTREAM-CONCATMAP-0000000002",
      "KSTREAM-MERGEMAP-0000000003",
      "KSTREAM-MAPBATCH-0000000004",
      "KSTREAM-INFER-0000000005",
      "KSTREAM-SINK-0000000006",
    ]);
  });

  test("a source that the program feeds reads no topic", () => {
    const builder = new StreamsBuilder();
    builder.fromObservable([1], { name: "ticks" }).print({ name: "lines" });
    expect(String(builder.build())).toBe(
      "Topologies:\n   Sub-topology: 0\n    Source: ticks (topics: [])\n      --> lines\n" +
        "    Processor: lines (stores: [])\n      --> none\n      <-- ticks\n\n",
    );
  });

  test("describes itself as a Mermaid flowchart", () => {
    expect(built().build().describe("mermaid")).toMatchInlineSnapshot(`
      "flowchart TD
        t0[("a")]
        t1[("b")]
        t2[("out")]
        subgraph s0["Sub-topology: 0"]
          n0["requests"]
          n1["s-"]
          n2["s-left"]
          n3["s-right"]
          n4["both"]
          n5["results"]
        end
        t0 --> n0
        t1 --> n0
        n0 --> n1
        n1 --> n2
        n1 --> n3
        n2 --> n4
        n3 --> n4
        n4 --> n5
        n5 --> t2
      "
    `);
  });

  test("describes itself for Graphviz", () => {
    expect(built().build().describe("dot")).toMatchInlineSnapshot(`
      "digraph topology {
        node [shape=box]
        t0 [shape=cylinder, label="a"]
        t1 [shape=cylinder, label="b"]
        t2 [shape=cylinder, label="out"]
        subgraph cluster_0 {
          label="Sub-topology: 0"
          n0 [label="requests"]
          n1 [label="s-"]
          n2 [label="s-left"]
          n3 [label="s-right"]
          n4 [label="both"]
          n5 [label="results"]
        }
        t0 -> n0
        t1 -> n0
        n0 -> n1
        n1 -> n2
        n1 -> n3
        n2 -> n4
        n3 -> n4
        n4 -> n5
        n5 -> t2
      }
      "
    `);
  });

  test("prints the name of the function that picks a topic", () => {
    const byLength = (value: string): string => `of-${value.length}`;
    const builder = new StreamsBuilder();
    const stream = start(builder);
    stream.to(byLength, { ...text, name: "named" });
    stream.to((value) => value, { ...text, name: "nameless" });
    expect(builder.build().describe()).toContain("Sink: named (extractor class: byLength)");
    expect(builder.build().describe()).toContain("Sink: nameless (extractor class: function)");
  });
});
