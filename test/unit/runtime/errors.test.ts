import { describe, expect, test } from "vitest";
import { PublishError } from "../../../src/core/errors.ts";
import { stringSerde, type Serde } from "../../../src/core/serde.ts";
import { TopologyTestDriver, type TopologyTestDriverOptions } from "../../../src/testing/index.ts";
import type { ErrorAnswer, ErrorHandling } from "../../../src/topology/options.ts";
import { StreamsBuilder } from "../../../src/topology/streams-builder.ts";
import type { Topology } from "../../../src/topology/topology.ts";

const text = { value: stringSerde };

/** Refuses `bad` where it is told to, the first `times` times. */
class Saboteur {
  calls = 0;
  private left: number;

  constructor(times = Number.POSITIVE_INFINITY) {
    this.left = times;
  }

  strike(value: string): string {
    if (value !== "bad") return value;
    this.calls += 1;
    this.left -= 1;
    if (this.left >= 0) throw new Error("no good");
    return value;
  }
}

type Seam = "decode" | "process" | "publish";

/** IN → OUT with a saboteur in one of the seams. */
function sabotaged(seam: Seam, saboteur: Saboteur, onError?: ErrorHandling): Topology {
  const builder = new StreamsBuilder();
  const own = onError === undefined ? {} : { onError };
  const at = (where: Seam): object => (where === seam ? own : {});
  const reading: Serde<string> = {
    ...stringSerde,
    deserialize: (bytes, headers, topic) => {
      const value = stringSerde.deserialize(bytes, headers, topic) as string;
      return seam === "decode" ? saboteur.strike(value) : value;
    },
  };
  const writing: Serde<string> = {
    ...stringSerde,
    serialize: (value, headers, topic) =>
      stringSerde.serialize(seam === "publish" ? saboteur.strike(value) : value, headers, topic),
  };
  builder
    .stream("IN", { value: reading, name: "decode", ...at("decode") })
    .mapValues((value) => (seam === "process" ? saboteur.strike(value) : value), { name: "process", ...at("process") })
    .to("OUT", { value: writing, name: "publish", ...at("publish") });
  return builder.build();
}

async function pipe(
  topology: Topology,
  options: TopologyTestDriverOptions,
  ...values: string[]
): Promise<TopologyTestDriver> {
  const driver = new TopologyTestDriver(topology, { rejectOnError: false, ...options });
  await driver.createInputTopic("IN", text).pipeRecords(values.map((value) => ({ value })));
  return driver;
}

async function outputs(driver: TopologyTestDriver): Promise<string[]> {
  return (await driver.createOutputTopic("OUT", text).readRecords()).map(({ value }) => value);
}

const seams: readonly (readonly [Seam, string])[] = [
  ["decode", "ERR_DECODE"],
  ["process", "ERR_PROCESS"],
  ["publish", "ERR_PUBLISH"],
];

describe.each(seams)("the %s seam", (seam, code) => {
  const withAnswer = (answer: ErrorAnswer): TopologyTestDriverOptions => ({ errors: { [seam]: () => answer } });

  test("FAIL is the default: the app goes to ERROR and acks nothing that was not done", async () => {
    await using driver = await pipe(sabotaged(seam, new Saboteur()), {}, "a", "bad", "b");
    expect(driver.app.state).toBe("ERROR");
    expect(driver.app.error).toMatchObject({ code, message: expect.stringMatching(/no good \(at memory:IN\/0@1\)/) });
    expect(await outputs(driver)).toEqual(["a"]);
    expect(driver.broker.committed("test", "IN", 0)).toBe(1);
  });

  test("CONTINUE skips the record and counts the error", async () => {
    await using driver = await pipe(sabotaged(seam, new Saboteur()), withAnswer("CONTINUE"), "a", "bad", "b");
    expect(await outputs(driver)).toEqual(["a", "b"]);
    expect(driver.metrics).toMatchObject({ settled: 3, inFlight: 0, deadLetters: 0 });
    expect(driver.metrics.nodes.get(seam)?.errors).toBe(1);
    expect(await driver.deadLetters()).toEqual([]);
  });

  test("DEAD_LETTER keeps the original bytes, key and headers, and says what, where and which", async () => {
    await using driver = new TopologyTestDriver(sabotaged(seam, new Saboteur()), withAnswer("DEAD_LETTER"));
    const mark = ["mark", new Uint8Array([0, 255])] as const;
    await driver
      .createInputTopic("IN", { key: stringSerde, value: stringSerde })
      .pipeRecords([{ value: "a" }, { key: "k", value: "bad", headers: [mark] }, { value: "b" }]);
    expect(await outputs(driver)).toEqual(["a", "b"]);
    const [letter, ...rest] = await driver.deadLetters();
    expect(rest).toEqual([]);
    expect(letter?.error).toMatchObject({ code, node: seam, position: "memory:IN/0@1", attempt: 1, path: "" });
    expect(letter?.error.message).toContain("no good");
    expect(letter?.record.key).toEqual(new TextEncoder().encode("k"));
    expect(letter?.record.value).toEqual(new TextEncoder().encode("bad"));
    expect(letter?.record.headers).toContainEqual(mark);
    expect(driver.metrics).toMatchObject({ settled: 3, inFlight: 0, deadLetters: 1 });
  });

  test("RETRY tries again after 100, 200, … ms, and later records wait at the sink", async () => {
    const saboteur = new Saboteur(2);
    await using driver = await pipe(sabotaged(seam, saboteur), withAnswer("RETRY"), "a", "bad", "b");
    expect(await outputs(driver)).toEqual(["a"]);
    expect(driver.app.backingOff).toBe(1);
    await driver.advanceWallClockTime(99);
    expect(saboteur.calls).toBe(1);
    await driver.advanceWallClockTime(1);
    expect(saboteur.calls).toBe(2);
    await driver.advanceWallClockTime(199);
    expect(saboteur.calls).toBe(2);
    await driver.advanceWallClockTime(1);
    expect(await outputs(driver)).toEqual(["a", "bad", "b"]);
    expect(driver.metrics).toMatchObject({ settled: 3, inFlight: 0 });
  });

  test("RETRY that is used up dead-letters a record whose own fault it is", async () => {
    const saboteur = new Saboteur();
    await using driver = await pipe(
      sabotaged(seam, saboteur),
      { ...withAnswer("RETRY"), retry: { attempts: 3 } },
      "bad",
      "b",
    );
    await driver.advanceWallClockTime(300);
    expect(saboteur.calls).toBe(3);
    expect(await outputs(driver)).toEqual(["b"]);
    expect(await driver.deadLetters()).toHaveLength(1);
  });

  test("a node's own answer goes before the app's", async () => {
    await using driver = await pipe(sabotaged(seam, new Saboteur(), "CONTINUE"), withAnswer("FAIL"), "bad", "b");
    expect(driver.app.state).toBe("RUNNING");
    expect(await outputs(driver)).toEqual(["b"]);
  });

  test("a handler sees the error, the node, the position, the attempt and the bytes", async () => {
    const seen: unknown[] = [];
    const onError: ErrorHandling = (error, context) => {
      seen.push([
        error.code,
        context.node,
        context.position,
        context.attempt,
        new TextDecoder().decode(context.record.value ?? undefined),
      ]);
      return context.attempt < 2 ? "RETRY" : "CONTINUE";
    };
    await using driver = await pipe(sabotaged(seam, new Saboteur(), onError), {}, "bad");
    await driver.advanceWallClockTime(100);
    expect(seen).toEqual([
      [code, seam, "memory:IN/0@0", 1, "bad"],
      [code, seam, "memory:IN/0@0", 2, "bad"],
    ]);
  });

  test("a handler that throws fails the app", async () => {
    const onError: ErrorHandling = () => {
      throw new Error("handler broke");
    };
    await using driver = await pipe(sabotaged(seam, new Saboteur(), onError), {}, "bad");
    expect(driver.app.error?.message).toMatch(/the error handler of .* threw: handler broke/);
  });
});

describe("dead letters", () => {
  test("one per delivery and node, with the paths of the records that failed; the others' results stand", async () => {
    const builder = new StreamsBuilder();
    builder
      .stream("IN", text)
      .flatMapValues((line) => line.split(" "))
      .mapValues((word) => new Saboteur().strike(word), { name: "first", onError: "DEAD_LETTER" })
      .filter(
        (word) => {
          if (word === "worse") throw new Error("worse still");
          return true;
        },
        { name: "second", onError: "DEAD_LETTER" },
      )
      .to("OUT", text);
    await using driver = await pipe(builder.build(), {}, "a bad b bad worse c");
    expect(await outputs(driver)).toEqual(["a", "b", "c"]);
    const letters = await driver.deadLetters();
    expect(letters.map(({ error }) => [error.node, error.path])).toEqual([
      ["first", "/1,/3"],
      ["second", "/4"],
    ]);
  });

  test("one that can't be written fails the app, and its delivery is not acked", async () => {
    await using driver = new TopologyTestDriver(sabotaged("process", new Saboteur(), "DEAD_LETTER"), {
      rejectOnError: false,
    });
    driver.broker.faults.refuseWrites(({ topic }) =>
      topic === "test.dlq" ? { message: "full", retryable: true } : undefined,
    );
    await driver.createInputTopic("IN", text).pipeInput("bad");
    expect(driver.app.error?.message).toMatch(/a dead letter could not be written to test\.dlq: full/);
    expect(driver.broker.committed("test", "IN", 0)).toBe(0);
  });

  test("one that is replayed keeps its first position in the ids of its results", async () => {
    const saboteur = new Saboteur(1);
    await using driver = await pipe(sabotaged("process", saboteur, "DEAD_LETTER"), {}, "a", "bad");
    const [letter] = await driver.deadLetters();
    if (letter === undefined) throw new Error("no dead letter");
    driver.broker.publish([{ ...letter.record, headers: letter.record.headers, topic: "IN", partition: 0 }]);
    await driver.advanceWallClockTime(0);
    const [, replayed] = await driver.createOutputTopic("OUT", text).readRecords();
    const id = replayed?.headers.find(([name]) => name === "millrace-id")?.[1];
    expect(new TextDecoder().decode(id)).toBe("memory:IN/0@1#publish");
  });

  test("and keeps it when it fails once more", async () => {
    await using driver = await pipe(sabotaged("process", new Saboteur(), "DEAD_LETTER"), {}, "a", "bad");
    const [letter] = await driver.deadLetters();
    if (letter === undefined) throw new Error("no dead letter");
    driver.broker.publish([{ ...letter.record, headers: letter.record.headers, topic: "IN", partition: 0 }]);
    await driver.advanceWallClockTime(0);
    const again = (await driver.deadLetters()).at(-1);
    expect(again?.error.position).toBe("memory:IN/0@2");
    const origin = again?.record.headers.find(([name]) => name === "millrace-origin")?.[1];
    expect(new TextDecoder().decode(origin)).toBe("memory:IN/0@1");
  });
});

test("waits between attempts grow to a limit", async () => {
  const saboteur = new Saboteur();
  const retry = { attempts: 10, minDelayMs: 100, maxDelayMs: 250 };
  await using driver = await pipe(sabotaged("process", saboteur, "RETRY"), { retry }, "bad");
  for (const [wait, calls] of [
    [100, 2],
    [200, 3],
    [250, 4],
    [250, 5],
  ] as const) {
    await driver.advanceWallClockTime(wait - 1);
    expect(saboteur.calls).toBe(calls - 1);
    await driver.advanceWallClockTime(1);
    expect(saboteur.calls).toBe(calls);
  }
});

describe("the broker's refusals", () => {
  test("a write that may succeed later is tried again by default", async () => {
    const builder = new StreamsBuilder();
    builder.stream("IN", text).to("OUT", text);
    await using driver = new TopologyTestDriver(builder.build());
    driver.broker.faults.refuseWrites(({ topic }) =>
      topic === "OUT" ? { message: "busy", retryable: true } : undefined,
    );
    await driver.createInputTopic("IN", text).pipeInput("a");
    driver.broker.faults.refuseWrites();
    expect(await outputs(driver)).toEqual([]);
    await driver.advanceWallClockTime(100);
    expect(await outputs(driver)).toEqual(["a"]);
  });

  test("one that comes back for ever fails the app when the attempts are used up", async () => {
    const builder = new StreamsBuilder();
    builder.stream("IN", text).to("OUT", text);
    await using driver = new TopologyTestDriver(builder.build(), { rejectOnError: false });
    driver.broker.faults.refuseWrites(({ topic }) =>
      topic === "OUT" ? { message: "busy", retryable: true } : undefined,
    );
    await driver.createInputTopic("IN", text).pipeInput("a");
    await driver.advanceWallClockTime(1_500);
    expect(driver.app.error).toBeInstanceOf(PublishError);
    expect(driver.broker.committed("test", "IN", 0)).toBe(0);
  });

  test("a record that is too large is its own fault", async () => {
    const builder = new StreamsBuilder();
    builder
      .stream("IN", text)
      .mapValues((value) => value.repeat(2_000_000))
      .to("OUT", { ...text, name: "sink", onError: "DEAD_LETTER" });
    await using driver = await pipe(builder.build(), {}, "x");
    expect(await driver.deadLetters()).toMatchObject([{ error: { code: "ERR_PUBLISH", node: "sink" } }]);
  });

  test("a topic that a function picks must be one", async () => {
    const builder = new StreamsBuilder();
    builder.stream("IN", text).to(() => "no topic!", { ...text, onError: "DEAD_LETTER" });
    await using driver = await pipe(builder.build(), {}, "x");
    expect((await driver.deadLetters())[0]?.error.message).toContain('"no topic!" is no name for a topic');
  });
});
