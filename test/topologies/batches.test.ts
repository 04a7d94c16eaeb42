import { describe, expect, test } from "vitest";
import type { Model } from "../../src/core/model.ts";
import { headerText } from "../../src/core/provenance.ts";
import { TopologyTestDriver, VirtualScheduler } from "../../src/testing/index.ts";
import { StreamsBuilder } from "../../src/topology/streams-builder.ts";
import type { Topology } from "../../src/topology/topology.ts";
import { later, records, text, through, valuesOf } from "./streams.ts";

/** A model whose rows are the letters of a text: it answers with capitals, 100 ms later. */
class Capitals implements Model<string, string> {
  readonly info = { name: "capitals", sha256: "0123456789abcdef", engine: "fake", concurrency: 1 };
  readonly batches: (readonly string[])[] = [];
  closed = false;
  private readonly scheduler: VirtualScheduler;

  constructor(scheduler: VirtualScheduler) {
    this.scheduler = scheduler;
  }

  rows(input: string): number {
    return input.length;
  }

  async predict(inputs: readonly string[]): Promise<readonly string[]> {
    this.batches.push(inputs);
    await later(this.scheduler, 100, undefined);
    if (inputs.some((input) => input.includes("!"))) throw new Error("no capital of !");
    return inputs.map((input) => input.toUpperCase());
  }

  slice(input: string, from: number, to: number): string {
    return input.slice(from, to);
  }

  join(outputs: readonly string[]): string {
    return outputs.join("");
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

function inferring(model: Capitals, options: { readonly maxSize: number; readonly ordered?: false }): Topology {
  const builder = new StreamsBuilder();
  builder
    .stream("IN", text)
    .batch({ maxSize: options.maxSize })
    .infer(
      async () => model,
      (input, output) => `${input}=${output}`,
      {
        onError: "DEAD_LETTER",
        ...(options.ordered === false && { ordered: false }),
      },
    )
    .to("OUT", text);
  return builder.build();
}

describe("batches", () => {
  test("take all that has queued while the last one ran; an idle model waits for nothing", async () => {
    const scheduler = new VirtualScheduler();
    const model = new Capitals(scheduler);
    await using driver = new TopologyTestDriver(inferring(model, { maxSize: 8 }), { scheduler });
    const input = driver.createInputTopic("IN", text);
    await input.pipeInput("a");
    for (const value of ["b", "c", "d"]) await input.pipeInput(value);
    expect(model.batches).toEqual([["a"]]);
    await driver.advanceWallClockTime(200);
    expect(model.batches).toEqual([["a"], ["b", "c", "d"]]);
    const [record] = await driver.createOutputTopic("OUT", text).readRecords();
    expect(record?.value).toBe("a=A");
    expect(headerText(record?.headers ?? [], "millrace-model")).toBe("capitals@0123456789ab");
    expect(headerText(record?.headers ?? [], "millrace-engine")).toBe("fake");
  });

  test("are filled to the row: long values are cut and put together again, in order", async () => {
    const scheduler = new VirtualScheduler();
    const model = new Capitals(scheduler);
    await using driver = new TopologyTestDriver(inferring(model, { maxSize: 4 }), { scheduler });
    await driver.createInputTopic("IN", text).pipeRecords(records("abcdef", "gh", "ijk"));
    await driver.advanceWallClockTime(1_000);
    expect(model.batches.map((batch) => batch.join("").length)).toEqual([4, 4, 3]);
    expect(await valuesOf(driver.createOutputTopic("OUT", text))).toEqual(["abcdef=ABCDEF", "gh=GH", "ijk=IJK"]);
  });

  test("are shared: a short value without an order to keep does not wait behind a long one", async () => {
    const scheduler = new VirtualScheduler();
    const model = new Capitals(scheduler);
    await using driver = new TopologyTestDriver(inferring(model, { maxSize: 10, ordered: false }), { scheduler });
    const output = driver.createOutputTopic("OUT", text);
    await driver.createInputTopic("IN", text).pipeRecords(records("x".repeat(70), "a"));
    await driver.advanceWallClockTime(200);
    expect(await valuesOf(output)).toEqual(["a=A"]);
    await driver.advanceWallClockTime(1_000);
    expect(await output.readValue()).toHaveLength(141);
  });

  test("that fail are halved until the guilty one is alone", async () => {
    const scheduler = new VirtualScheduler();
    const model = new Capitals(scheduler);
    await using driver = new TopologyTestDriver(inferring(model, { maxSize: 8 }), { scheduler });
    await driver.createInputTopic("IN", text).pipeRecords(records("a", "b", "!", "c"));
    await driver.advanceWallClockTime(1_000);
    expect(model.batches).toEqual([["a", "b", "!", "c"], ["a", "b"], ["!", "c"], ["!"], ["c"]]);
    expect(await valuesOf(driver.createOutputTopic("OUT", text))).toEqual(["a=A", "b=B", "c=C"]);
    expect(await driver.deadLetters()).toMatchObject([
      { error: { position: "memory:IN/0@2", message: expect.stringContaining("no capital") } },
    ]);
  });

  test("wait for more only when they are told to, and no longer than that", async () => {
    const sizes: number[] = [];
    const topology = through((stream) =>
      stream.batch({ maxSize: 3, maxWaitMs: 50 }).mapBatch((values) => {
        sizes.push(values.length);
        return values;
      }),
    );
    await using driver = new TopologyTestDriver(topology);
    const input = driver.createInputTopic("IN", text);
    await input.pipeInput("a");
    await driver.advanceWallClockTime(30);
    await input.pipeInput("b");
    await driver.advanceWallClockTime(19);
    expect(sizes).toEqual([]);
    await driver.advanceWallClockTime(1);
    expect(sizes).toEqual([2]);
    await input.pipeRecords(records("c", "d", "e"));
    expect(sizes).toEqual([2, 3]);
    expect(driver.scheduler.nextDue).toBeUndefined();
  });

  test("leave no timer while the model is idle, and close it with the app", async () => {
    const model = new Capitals(new VirtualScheduler());
    const driver = new TopologyTestDriver(inferring(model, { maxSize: 8 }));
    expect(await driver.createOutputTopic("OUT", text).isEmpty()).toBe(true);
    expect(driver.scheduler.nextDue).toBeUndefined();
    expect(model.closed).toBe(false);
    await driver.close();
    expect(model.closed).toBe(true);
  });
});
