import { describe, expect, test } from "vitest";
import { stringSerde } from "../../../src/core/serde.ts";
import { ordersOf, type Orders } from "../../../src/runtime/order.ts";
import { TopologyTestDriver, VirtualScheduler } from "../../../src/testing/index.ts";
import type { KStream } from "../../../src/topology/kstream.ts";
import type { Ordered } from "../../../src/topology/nodes.ts";
import { StreamsBuilder } from "../../../src/topology/streams-builder.ts";
import { later, records, text, valuesOf } from "../../topologies/streams.ts";

type Text = KStream<string | null, string>;

const same = (value: string): string => value;

function slow(stream: Text, ordered: Ordered | undefined, name: string): Text {
  return stream.mapAsync(same, { name, ...(ordered !== undefined && { ordered }) });
}

function orders(build: (stream: Text) => void): Orders {
  const builder = new StreamsBuilder();
  build(builder.stream("IN", { value: stringSerde, name: "in" }));
  return ordersOf(builder.build().nodes);
}

describe("the order of a source", () => {
  test.each<[string, Ordered, (stream: Text) => void]>([
    ["nobody asks for anything", "partition", (stream) => stream.to("OUT", text)],
    ["a node takes the default", "partition", (stream) => slow(stream, undefined, "a").to("OUT", text)],
    ["all ask for that of the keys", "key", (stream) => slow(slow(stream, "key", "a"), "key", "b").to("OUT", text)],
    ["all give it up", false, (stream) => slow(stream, false, "a").to("OUT", text)],
    ["two ask on one way", "key", (stream) => slow(slow(stream, false, "a"), "key", "b").to("OUT", text)],
    [
      "two ask on two ways",
      "partition",
      (stream) => {
        slow(stream, "key", "a").to("OUT", text);
        slow(stream, "partition", "b").to("OUT", text);
      },
    ],
    [
      "one way gives it up and the other says nothing",
      "partition",
      (stream) => {
        slow(stream, false, "a").to("OUT", text);
        stream.print();
      },
    ],
  ])("when %s is %s", (_, ordered, build) => {
    expect(orders(build).bySource).toEqual(new Map([["in", ordered]]));
  });

  test("is its own, and the merged one's", () => {
    const builder = new StreamsBuilder();
    const [a, b, c] = ["a", "b", "c"].map((name) => builder.stream(name, { value: stringSerde, name }));
    slow(a!, "key", "slow-a").merge(b!).print();
    slow(c!, false, "slow-c").print();
    expect(ordersOf(builder.build().nodes).bySource).toEqual(
      new Map<string, Ordered>([
        ["a", "key"],
        ["b", "key"],
        ["c", false],
      ]),
    );
  });
});

describe("records leave the line for good", () => {
  test("where all ways on have given order up", () => {
    const { unordered } = orders((stream) => {
      const mapped = stream.mapValues(same, { name: "mapped" });
      const free = slow(mapped.mapValues(same, { name: "before" }), false, "free").filter(() => true, {
        name: "after",
      });
      free.to("ONE", { ...text, name: "one" });
      free.to("TWO", { ...text, name: "two" });
      mapped.to("THREE", { ...text, name: "three" });
    });
    expect([...unordered]).toEqual(["before"]);
  });

  test("not before a node from which a way goes on that keeps it", () => {
    const { unordered } = orders((stream) => {
      const free = slow(stream, false, "free");
      free.to("ONE", { ...text, name: "one" });
      slow(free, "key", "kept").to("TWO", { ...text, name: "two" });
    });
    expect([...unordered]).toEqual(["one"]);
  });
});

test("giving order up on one way costs the other nothing: neither its order nor any waiting", async () => {
  const scheduler = new VirtualScheduler();
  const builder = new StreamsBuilder();
  const stream = builder.stream("IN", text);
  stream.mapAsync((value) => later(scheduler, 1_000, value), { ordered: false, concurrency: 8 }).to("LATER", text);
  let fails = true;
  stream
    .mapValues(
      (value) => {
        if (value === "a" && fails) throw new Error("once");
        return value;
      },
      { onError: "RETRY" },
    )
    .to("OUT", text);
  await using driver = new TopologyTestDriver(builder.build(), { scheduler });
  const output = driver.createOutputTopic("OUT", text);
  await driver.createInputTopic("IN", text).pipeRecords(records("a", "b"));
  expect(await valuesOf(output)).toEqual([]); // b waits for a, whose turn it is
  fails = false;
  await driver.advanceWallClockTime(100);
  expect(await valuesOf(output)).toEqual(["a", "b"]);
  expect(await valuesOf(driver.createOutputTopic("LATER", text))).toEqual([]);
  await driver.advanceWallClockTime(900);
  expect(await valuesOf(driver.createOutputTopic("LATER", text))).toEqual(["a", "b"]);
});
