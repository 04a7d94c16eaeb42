import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type KStream, stringSerde, StreamsBuilder } from "../../../src/index.ts";
import { descriptions } from "../../golden/descriptions.ts";

const text = { value: stringSerde };
const yes = (): boolean => true;
const same = (value: string): string => value;
const look = (): void => {};
const byRegion = (value: string): string => value;
const nothing = (): { process: () => void } => ({ process: () => {} });

type Text = KStream<string | null, string>;

/** The topologies of `test/golden/java/src/main/java/Goldens.java`, call by call. */
const goldens: Readonly<Record<string, (builder: StreamsBuilder) => void>> = {
  "source-to-sink": (builder) => start(builder).to("out", text),
  linear: (builder) => start(builder).filter(yes).mapValues(same).to("out", text),
  "every-operator": (builder) => {
    const end = start(builder)
      .map((value, { key }) => ({ key, value }))
      .mapValues(same)
      .flatMap((value, { key }) => [{ key, value }])
      .flatMapValues((value) => [value])
      .filter(yes)
      .filterNot(yes)
      .selectKey((_, { key }) => key)
      .peek(look)
      .process<string | null, string>(nothing);
    end.foreach(look);
    end.print();
    end.to("out", text);
    end.to(byRegion, text);
  },
  "named-operators": (builder) => {
    const end = builder
      .stream("in", { ...text, name: "requests" })
      .map((value, { key }) => ({ key, value }), { name: "map" })
      .mapValues(same, { name: "map-values" })
      .flatMap((value, { key }) => [{ key, value }], { name: "flat-map" })
      .flatMapValues((value) => [value], { name: "flat-map-values" })
      .filter(yes, { name: "filter" })
      .filterNot(yes, { name: "filter-not" })
      .selectKey((_, { key }) => key, { name: "select-key" })
      .peek(look, { name: "peek" })
      .process<string | null, string>(nothing, { name: "process" });
    end.foreach(look, { name: "for.each" });
    end.print({ name: "print" });
    end.to("out", { ...text, name: "results" });
    end.to(byRegion, { ...text, name: "by_region" });
  },
  "some-named": (builder) => {
    const first = builder.stream("in", { ...text, name: "requests" });
    first.filter(yes, { name: "valid" }).mapValues(same).peek(look, { name: "look" }).to("out", text);
    first.foreach(look);
  },
  "split-unnamed": (builder) => {
    const branches = start(builder).split().branch(yes).branch(yes).defaultBranch();
    branches.get("KSTREAM-BRANCH-00000000011").to("one", text);
    branches.get("KSTREAM-BRANCH-00000000012").to("two", text);
    branches.get("KSTREAM-BRANCH-00000000010").to("rest", text);
  },
  "split-named": (builder) => {
    const branches = start(builder)
      .split({ name: "size-" })
      .branch(yes, { name: "small" })
      .branch(yes)
      .defaultBranch({ name: "rest" });
    branches.get("size-small").mapValues(same).to("one", text);
    branches.get("size-2").to("two", text);
    branches.get("size-rest").to("rest", text);
  },
  // There a branch's chain is built between two `branch` calls, and takes its numbers then: here it bears their names.
  "split-no-default": (builder) => {
    const first = start(builder);
    const branches = first.split({ name: "s-" }).branch(yes).branch(yes, { name: "second" }).noDefaultBranch();
    const peeked = branches.get("s-1").peek(look, { name: "KSTREAM-PEEK-0000000003" });
    peeked.to("one", { ...text, name: "KSTREAM-SINK-0000000004" });
    branches.get("s-second").to("two", text);
    first.to("copy", text);
  },
  "split-uneven": (builder) => {
    const branches = start(builder)
      .split({ name: "kind-" })
      .branch(yes, { name: "a" })
      .branch(yes, { name: "b" })
      .branch(yes, { name: "c" })
      .defaultBranch({ name: "d" });
    branches.get("kind-a").to("a", text);
    branches.get("kind-b").mapValues(same).filter(yes).to("b", text);
    branches.get("kind-c").mapValues(same).to("c", text);
    branches.get("kind-d").mapValues(same).filter(yes).peek(look).to("d", text);
  },
  merge: (builder) => {
    const [first, second, third] = ["zebra", "ant", "bee"].map((topic) => builder.stream(topic, text));
    second!.merge(first!).merge(third!).to("out", text);
  },
  "merge-named": (builder) => {
    const first = builder.stream("one", { ...text, name: "z" });
    const second = builder.stream("two", { ...text, name: "a" });
    first.merge(second.mapValues(same), { name: "both" }).peek(look).to("out", text);
  },
  diamond: (builder) => {
    const first = start(builder);
    first.filter(yes).merge(first.filterNot(yes).mapValues(same)).to("out", text);
  },
  "branch-merge": (builder) => {
    const branches = start(builder)
      .split({ name: "by-size-" })
      .branch(yes, { name: "large" })
      .defaultBranch({ name: "small" });
    const large = branches.get("by-size-large").flatMapValues((value) => [value]);
    large.mapValues(same).merge(branches.get("by-size-small").mapValues(same)).to("out", text);
  },
  "two-sub-topologies": (builder) => {
    const raw = builder.stream("raw", text);
    const clean = builder.stream("clean", text);
    clean.mapValues(same).to("out", text);
    raw.filter(yes).to("clean", text);
  },
  "multi-topic-source": (builder) => {
    builder.stream(["zeta", "alpha", "INFERENCE", "beta.1", "beta.2", "alpha"], text).to("out", text);
    builder
      .stream(
        numbers(15).map((index) => `topic-${index}`),
        text,
      )
      .to("out", text);
  },
  "dynamic-sink": (builder) => start(builder).mapValues(same).to(byRegion, text),
  "fan-out": (builder) => {
    const first = start(builder);
    first.to("copy", text);
    first.peek(look).peek(look).to("long", text);
    first.filter(yes).to("short", text);
    first.filterNot(yes).to("short", text);
    first.foreach(look);
  },
  wide: (builder) => {
    const first = start(builder);
    for (const index of numbers(12)) {
      let stream = first.peek(look, { name: `n${index}` });
      for (const _ of numbers((index * 5) % 4)) stream = stream.mapValues(same);
      stream.to(`out-${index}`, text);
    }
  },
};

/** What Kafka Streams builds and we refuse, with the node that the refusal names. */
const refused: Readonly<Record<string, readonly [build: (builder: StreamsBuilder) => void, message: string]>> = {
  empty: [() => {}, "a topology needs at least one source: call stream() or fromObservable() before build()"],
  process: [
    (builder) => {
      const first = start(builder);
      first.process<string, string>(nothing).to("out", text);
      first.process(nothing, { name: "audit" });
    },
    "the stream of audit ends nowhere: end it with to(), print() or foreach()",
  ],
  "nested-diamonds": [
    (builder) => {
      const first = start(builder);
      let chain = first;
      for (const _ of numbers(10)) chain = chain.peek(look);
      const top = first.peek(look, { name: "top" });
      const second = top.filter(yes).merge(top.filterNot(yes));
      second.filter(yes).merge(second.filterNot(yes)).to("out", text);
    },
    "the stream of KSTREAM-PEEK-0000000010 ends nowhere: end it with to(), print() or foreach()",
  ],
};

describe("StreamsBuilder builds what Kafka Streams builds", () => {
  test("every golden text is built here or refused here", () => {
    expect([...Object.keys(goldens), ...Object.keys(refused)].toSorted()).toEqual(Object.keys(descriptions).toSorted());
  });

  test.each(Object.entries(goldens))("%s", (name, build) => {
    const builder = new StreamsBuilder();
    build(builder);
    const golden = readFileSync(new URL(`../../golden/topologies/${name}.txt`, import.meta.url), "utf8");
    expect(builder.build().describe()).toBe(golden);
  });

  test.each(Object.entries(refused))("%s, which we refuse", (_, [build, message]) => {
    const builder = new StreamsBuilder();
    build(builder);
    expect(() => builder.build()).toThrow(expect.objectContaining({ code: "ERR_CONFIG", message }));
  });
});

function start(builder: StreamsBuilder): Text {
  return builder.stream("in", text);
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
