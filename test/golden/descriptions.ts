import type {
  NodeDescription,
  ProcessorDescription,
  SinkDescription,
  SourceDescription,
} from "../../src/topology/describe.ts";

/**
 * What each topology of `java/src/main/java/Goldens.java` is made of, written by hand: the key is the name of its text
 * in `topologies/`.
 */
export const descriptions: Readonly<Record<string, readonly NodeDescription[]>> = {
  empty: [],
  "source-to-sink": [source(0, "in"), sink(1, "out", "KSTREAM-SOURCE-0000000000")],
  linear: chain(source(0, "in"), processor("FILTER", 1), processor("MAPVALUES", 2), sink(3, "out")),
  "every-operator": [
    ...chain(
      source(0, "in"),
      processor("MAP", 1),
      processor("MAPVALUES", 2),
      processor("FLATMAP", 3),
      processor("FLATMAPVALUES", 4),
      processor("FILTER", 5),
      processor("FILTER", 6),
      processor("KEY-SELECT", 7),
      processor("PEEK", 8),
      processor("PROCESSOR", 9),
    ),
    processor("FOREACH", 10, "KSTREAM-PROCESSOR-0000000009"),
    processor("PRINTER", 11, "KSTREAM-PROCESSOR-0000000009"),
    sink(12, "out", "KSTREAM-PROCESSOR-0000000009"),
    dynamicSink(13, "KSTREAM-PROCESSOR-0000000009"),
  ],
  "named-operators": [
    ...chain(
      { ...source(0, "in"), name: "requests" },
      named("map"),
      named("map-values"),
      named("flat-map"),
      named("flat-map-values"),
      named("filter"),
      named("filter-not"),
      named("select-key"),
      named("peek"),
      named("process"),
    ),
    named("for.each", "process"),
    named("print", "process"),
    { ...sink(12, "out", "process"), name: "results" },
    { ...dynamicSink(13, "process"), name: "by_region" },
  ],
  "some-named": [
    ...chain(
      { ...source(0, "in"), name: "requests" },
      named("valid"),
      processor("MAPVALUES", 2),
      named("look"),
      sink(4, "out"),
    ),
    processor("FOREACH", 5, "requests"),
  ],
  "split-unnamed": [
    source(0, "in"),
    processor("BRANCH", 1, "KSTREAM-SOURCE-0000000000"),
    named("KSTREAM-BRANCH-00000000011", "KSTREAM-BRANCH-0000000001"),
    named("KSTREAM-BRANCH-00000000012", "KSTREAM-BRANCH-0000000001"),
    named("KSTREAM-BRANCH-00000000010", "KSTREAM-BRANCH-0000000001"),
    sink(5, "one", "KSTREAM-BRANCH-00000000011"),
    sink(6, "two", "KSTREAM-BRANCH-00000000012"),
    sink(7, "rest", "KSTREAM-BRANCH-00000000010"),
  ],
  "split-named": [
    source(0, "in"),
    named("size-", "KSTREAM-SOURCE-0000000000"),
    named("size-small", "size-"),
    named("size-2", "size-"),
    named("size-rest", "size-"),
    processor("MAPVALUES", 5, "size-small"),
    sink(6, "one", "KSTREAM-MAPVALUES-0000000005"),
    sink(7, "two", "size-2"),
    sink(8, "rest", "size-rest"),
  ],
  "split-no-default": [
    source(0, "in"),
    named("s-", "KSTREAM-SOURCE-0000000000"),
    named("s-1", "s-"),
    processor("PEEK", 3, "s-1"),
    sink(4, "one", "KSTREAM-PEEK-0000000003"),
    named("s-second", "s-"),
    sink(6, "two", "s-second"),
    sink(7, "copy", "KSTREAM-SOURCE-0000000000"),
  ],
  "split-uneven": [
    source(0, "in"),
    named("kind-", "KSTREAM-SOURCE-0000000000"),
    named("kind-a", "kind-"),
    named("kind-b", "kind-"),
    named("kind-c", "kind-"),
    named("kind-d", "kind-"),
    sink(6, "a", "kind-a"),
    processor("MAPVALUES", 7, "kind-b"),
    processor("FILTER", 8, "KSTREAM-MAPVALUES-0000000007"),
    sink(9, "b", "KSTREAM-FILTER-0000000008"),
    processor("MAPVALUES", 10, "kind-c"),
    sink(11, "c", "KSTREAM-MAPVALUES-0000000010"),
    processor("MAPVALUES", 12, "kind-d"),
    processor("FILTER", 13, "KSTREAM-MAPVALUES-0000000012"),
    processor("PEEK", 14, "KSTREAM-FILTER-0000000013"),
    sink(15, "d", "KSTREAM-PEEK-0000000014"),
  ],
  merge: [
    source(0, "zebra"),
    source(1, "ant"),
    source(2, "bee"),
    processor("MERGE", 3, "KSTREAM-SOURCE-0000000001", "KSTREAM-SOURCE-0000000000"),
    processor("MERGE", 4, "KSTREAM-MERGE-0000000003", "KSTREAM-SOURCE-0000000002"),
    sink(5, "out", "KSTREAM-MERGE-0000000004"),
  ],
  "merge-named": [
    { ...source(0, "one"), name: "z" },
    { ...source(1, "two"), name: "a" },
    processor("MAPVALUES", 2, "a"),
    named("both", "z", "KSTREAM-MAPVALUES-0000000002"),
    processor("PEEK", 4, "both"),
    sink(5, "out", "KSTREAM-PEEK-0000000004"),
  ],
  diamond: [
    source(0, "in"),
    processor("FILTER", 1, "KSTREAM-SOURCE-0000000000"),
    processor("FILTER", 2, "KSTREAM-SOURCE-0000000000"),
    processor("MAPVALUES", 3, "KSTREAM-FILTER-0000000002"),
    processor("MERGE", 4, "KSTREAM-FILTER-0000000001", "KSTREAM-MAPVALUES-0000000003"),
    sink(5, "out", "KSTREAM-MERGE-0000000004"),
  ],
  "nested-diamonds": [
    ...chain(source(0, "in"), ...numbers(10).map((index) => processor("PEEK", 1 + index))),
    named("top", "KSTREAM-SOURCE-0000000000"),
    processor("FILTER", 12, "top"),
    processor("FILTER", 13, "top"),
    processor("MERGE", 14, "KSTREAM-FILTER-0000000012", "KSTREAM-FILTER-0000000013"),
    processor("FILTER", 15, "KSTREAM-MERGE-0000000014"),
    processor("FILTER", 16, "KSTREAM-MERGE-0000000014"),
    processor("MERGE", 17, "KSTREAM-FILTER-0000000015", "KSTREAM-FILTER-0000000016"),
    sink(18, "out", "KSTREAM-MERGE-0000000017"),
  ],
  "branch-merge": [
    source(0, "in"),
    named("by-size-", "KSTREAM-SOURCE-0000000000"),
    named("by-size-large", "by-size-"),
    named("by-size-small", "by-size-"),
    processor("FLATMAPVALUES", 4, "by-size-large"),
    processor("MAPVALUES", 5, "KSTREAM-FLATMAPVALUES-0000000004"),
    processor("MAPVALUES", 6, "by-size-small"),
    processor("MERGE", 7, "KSTREAM-MAPVALUES-0000000005", "KSTREAM-MAPVALUES-0000000006"),
    sink(8, "out", "KSTREAM-MERGE-0000000007"),
  ],
  "two-sub-topologies": [
    source(0, "raw"),
    source(1, "clean"),
    processor("MAPVALUES", 2, "KSTREAM-SOURCE-0000000001"),
    sink(3, "out", "KSTREAM-MAPVALUES-0000000002"),
    processor("FILTER", 4, "KSTREAM-SOURCE-0000000000"),
    sink(5, "clean", "KSTREAM-FILTER-0000000004"),
  ],
  "multi-topic-source": [
    source(0, "zeta", "alpha", "INFERENCE", "beta.1", "beta.2", "alpha"),
    sink(1, "out", "KSTREAM-SOURCE-0000000000"),
    source(2, ...numbers(15).map((index) => `topic-${index}`)),
    sink(3, "out", "KSTREAM-SOURCE-0000000002"),
  ],
  "dynamic-sink": chain(source(0, "in"), processor("MAPVALUES", 1), dynamicSink(2)),
  process: [
    source(0, "in"),
    processor("PROCESSOR", 1, "KSTREAM-SOURCE-0000000000"),
    sink(2, "out", "KSTREAM-PROCESSOR-0000000001"),
    named("audit", "KSTREAM-SOURCE-0000000000"),
  ],
  "fan-out": [
    source(0, "in"),
    sink(1, "copy", "KSTREAM-SOURCE-0000000000"),
    processor("PEEK", 2, "KSTREAM-SOURCE-0000000000"),
    processor("PEEK", 3, "KSTREAM-PEEK-0000000002"),
    sink(4, "long", "KSTREAM-PEEK-0000000003"),
    processor("FILTER", 5, "KSTREAM-SOURCE-0000000000"),
    sink(6, "short", "KSTREAM-FILTER-0000000005"),
    processor("FILTER", 7, "KSTREAM-SOURCE-0000000000"),
    sink(8, "short", "KSTREAM-FILTER-0000000007"),
    processor("FOREACH", 9, "KSTREAM-SOURCE-0000000000"),
  ],
  wide: wide(),
};

function wide(): NodeDescription[] {
  const start = source(0, "in");
  const nodes: NodeDescription[] = [start];
  for (const index of numbers(12)) {
    let parent = `n${index}`;
    nodes.push(named(parent, start.name));
    for (const _ of numbers((index * 5) % 4)) {
      const next = processor("MAPVALUES", taken(nodes), parent);
      nodes.push(next);
      parent = next.name;
    }
    nodes.push(sink(taken(nodes), `out-${index}`, parent));
  }
  return nodes;
}

/** Every node takes one number, named or not. */
function taken(nodes: readonly NodeDescription[]): number {
  return nodes.length;
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

function defaultName(kind: string, number: number): string {
  return `KSTREAM-${kind}-${String(number).padStart(10, "0")}`;
}

function source(number: number, ...topics: string[]): SourceDescription {
  return { role: "source", name: defaultName("SOURCE", number), topics };
}

function processor(kind: string, number: number, ...parents: string[]): ProcessorDescription {
  return named(defaultName(kind, number), ...parents);
}

function named(name: string, ...parents: string[]): ProcessorDescription {
  return { role: "processor", name, parents };
}

function sink(number: number, topic: string, ...parents: string[]): SinkDescription {
  return { role: "sink", name: defaultName("SINK", number), parents, topic };
}

function dynamicSink(number: number, ...parents: string[]): SinkDescription {
  return { role: "sink", name: defaultName("SINK", number), parents, topic: undefined, extractor: "byRegion" };
}

/** Each node hangs on the one before it. */
function chain(
  first: SourceDescription,
  ...rest: readonly (ProcessorDescription | SinkDescription)[]
): NodeDescription[] {
  return [first, ...rest.map((node, index) => ({ ...node, parents: [(rest[index - 1] ?? first).name] }))];
}
