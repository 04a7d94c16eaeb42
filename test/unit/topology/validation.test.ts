import { describe, expect, test } from "vitest";
import { type KStream, type Model, stringSerde, StreamsBuilder } from "../../../src/index.ts";

const text = { value: stringSerde };
const yes = (): boolean => true;

type Text = KStream<string | null, string>;

function start(builder = new StreamsBuilder()): Text {
  return builder.stream("in", text);
}

describe("build() refuses", () => {
  test.each<[string, string, (builder: StreamsBuilder, stream: Text) => void]>([
    [
      "two nodes of one name",
      "two nodes are named twice; give one of them another { name }",
      (_, stream) => stream.filter(yes, { name: "twice" }).peek(yes, { name: "twice" }).print(),
    ],
    [
      "a given name that a node already got by itself",
      "two nodes are named KSTREAM-FILTER-0000000001; give one of them another { name }",
      (_, stream) => stream.filter(yes).peek(yes, { name: "KSTREAM-FILTER-0000000001" }).print(),
    ],
    [
      "two branches of one name",
      "two nodes are named s-a; give one of them another { name }",
      (_, stream) => {
        const branches = stream.split({ name: "s-" }).branch(yes, { name: "a" }).branch(yes, { name: "a" });
        branches.noDefaultBranch().get("s-a").print();
      },
    ],
    [
      "a source that nobody reads",
      "the stream of KSTREAM-SOURCE-0000000000 ends nowhere: end it with to(), print() or foreach()",
      () => {},
    ],
    [
      "a stream that ends nowhere beside one that ends",
      "the stream of valid ends nowhere: end it with to(), print() or foreach()",
      (_, stream) => {
        stream.filter(yes, { name: "valid" });
        stream.print();
      },
    ],
    [
      "a branch that nobody took",
      "the stream of s-b ends nowhere: end it with to(), print() or foreach()",
      (_, stream) => {
        const branches = stream.split({ name: "s-" }).branch(yes, { name: "a" }).branch(yes, { name: "b" });
        branches.noDefaultBranch().get("s-a").print();
      },
    ],
    [
      "a split without a branch",
      "the stream of s ends nowhere: end it with to(), print() or foreach()",
      (_, stream) => void stream.split({ name: "s" }).noDefaultBranch(),
    ],
    [
      "a topic that two sources read",
      "topic in is read by KSTREAM-SOURCE-0000000000 and by again: call stream() once and use its result twice",
      (builder, stream) => {
        stream.print();
        builder.stream(["other", "in"], { ...text, name: "again" }).print();
      },
    ],
    [
      "a topic to read that Kafka would refuse",
      `a topic's name has 1 to 249 letters, digits, ".", "_" or "-", and is not "." or ".."; got "in/1"`,
      (builder, stream) => {
        stream.print();
        builder.stream("in/1", text).print();
      },
    ],
    [
      "a topic to write that Kafka would refuse",
      `a topic's name has 1 to 249 letters, digits, ".", "_" or "-", and is not "." or ".."; got ".."`,
      (_, stream) => stream.to("..", text),
    ],
  ])("%s", (_, message, describeIt) => {
    const builder = new StreamsBuilder();
    describeIt(builder, start(builder));
    expect(() => builder.build()).toThrow(
      expect.objectContaining({ name: "ConfigError", code: "ERR_CONFIG", message }),
    );
  });

  test("a builder without a source", () => {
    expect(() => new StreamsBuilder().build()).toThrow(
      "a topology needs at least one source: call stream() or fromObservable() before build()",
    );
  });
});

describe("a call refuses", () => {
  const model = (): Promise<Model<string, string>> => Promise.reject(new Error("is never opened"));

  test.each<[string, string, (stream: Text) => void]>([
    [
      "a name that Kafka would refuse",
      `a node's name has 1 to 249 letters, digits, ".", "_" or "-", and is not "." or ".."; got "no spaces"`,
      (stream) => stream.filter(yes, { name: "no spaces" }),
    ],
    [
      "an empty name",
      `a node's name has 1 to 249 letters, digits, ".", "_" or "-", and is not "." or ".."; got ""`,
      (stream) => stream.print({ name: "" }),
    ],
    [
      "a branch's name that makes a bad one",
      `a node's name has 1 to 249 letters, digits, ".", "_" or "-", and is not "." or ".."; got "s-a b"`,
      (stream) => stream.split({ name: "s-" }).branch(yes, { name: "a b" }),
    ],
    [
      "no topic",
      "stream() of none needs at least one topic",
      () => new StreamsBuilder().stream([], { ...text, name: "none" }),
    ],
    [
      "a stream of another builder",
      "merge() takes a stream of the same StreamsBuilder",
      (stream) => stream.merge(start()),
    ],
    [
      "a branch that no split has",
      "no branch is named s-b; there are: s-a, s-0",
      (stream) => stream.split({ name: "s-" }).branch(yes, { name: "a" }).defaultBranch().get("s-b"),
    ],
    [
      "a branch after the end of a split",
      "branch() of s came after defaultBranch() or noDefaultBranch()",
      (stream) => {
        const split = stream.split({ name: "s" });
        split.defaultBranch();
        split.branch(yes);
      },
    ],
    [
      "two ends of a split",
      "defaultBranch() of s came after defaultBranch() or noDefaultBranch()",
      (stream) => {
        const split = stream.split({ name: "s" }).branch(yes);
        split.noDefaultBranch();
        split.defaultBranch();
      },
    ],
    [
      "a batch of no rows",
      "maxSize of batch() after KSTREAM-SOURCE-0000000000 must be a whole number of at least 1, got 0",
      (stream) => stream.batch({ maxSize: 0 }),
    ],
    [
      "half a row",
      "maxSize of batch() after KSTREAM-SOURCE-0000000000 must be a whole number of at least 1, got 1.5",
      (stream) => stream.batch({ maxSize: 1.5 }),
    ],
    [
      "a wait of no length",
      "maxWaitMs of batch() after KSTREAM-SOURCE-0000000000 must be a whole number of at least 0, got NaN",
      (stream) => stream.batch({ maxSize: 1, maxWaitMs: Number.NaN }),
    ],
    [
      "a batch function that may never run",
      "concurrency of names must be a whole number of at least 1, got -1",
      (stream) => stream.batch({ maxSize: 8 }).mapBatch((values) => values, { concurrency: -1, name: "names" }),
    ],
    [
      "mapAsync without a call",
      "concurrency of slow must be a whole number of at least 1, got 0",
      (stream) => stream.mapAsync((value) => value, { concurrency: 0, name: "slow" }),
    ],
    [
      "mergeMap without bound",
      "concurrency of many must be a whole number of at least 1, got Infinity",
      (stream) => stream.mergeMap((value) => [value], { concurrency: Number.POSITIVE_INFINITY, name: "many" }),
    ],
  ])("%s", (_, message, call) => {
    expect(() => call(start())).toThrow(expect.objectContaining({ name: "ConfigError", code: "ERR_CONFIG", message }));
  });

  test("nothing when it is given a model: a topology opens nothing", () => {
    const builder = new StreamsBuilder();
    start(builder)
      .batch({ maxSize: 8 })
      .infer(model, (_, output) => output)
      .print();
    expect(() => builder.build()).not.toThrow();
  });
});
