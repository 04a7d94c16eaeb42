import { concat, NEVER, of, Subject, throwError } from "rxjs";
import { describe, expect, test } from "vitest";
import { memoryBroker, type MemoryBroker } from "../../../src/brokers/memory/index.ts";
import { stringSerde } from "../../../src/core/serde.ts";
import type { StreamsAppOptions } from "../../../src/runtime/options.ts";
import { StreamsApp } from "../../../src/runtime/streams-app.ts";
import type { KStream } from "../../../src/topology/kstream.ts";
import { StreamsBuilder } from "../../../src/topology/streams-builder.ts";
import { turn } from "../operators/harness.ts";

const text = { value: stringSerde };
const decoder = new TextDecoder();

type Input = Parameters<StreamsBuilder["fromObservable"]>[0];
type Step = (stream: KStream<null, string>) => KStream<null, string>;

interface Feeding {
  readonly app: StreamsApp;
  readonly broker: MemoryBroker;
}

/** An app that is fed with `input` and writes text to OUT. */
function feeding(input: Input, step: Step = (stream) => stream, options: Partial<StreamsAppOptions> = {}): Feeding {
  const builder = new StreamsBuilder();
  step(builder.fromObservable(input, { name: "values" }).mapValues(String)).to("OUT", text);
  const broker = memoryBroker();
  return { app: new StreamsApp(builder.build(), { applicationId: "test", broker, ...options }), broker };
}

function written(broker: MemoryBroker): string[] {
  return broker.records("OUT").map(({ value }) => decoder.decode(value ?? undefined));
}

describe("values of the program", () => {
  async function* generate(): AsyncGenerator<string> {
    yield* ["a", "b"];
  }

  test.each([
    ["an iterable", ["a", "b"], 2],
    ["an async iterable", generate(), 2],
    ["an Observable", of("a", "b"), 2],
    ["a promise", Promise.resolve("a"), 1],
  ])("may be %s", async (_, input, count) => {
    const { app, broker } = feeding(input);
    await app.start();
    await app.whenSettled(count);
    expect(written(broker)).toEqual(["a", "b"].slice(0, count));
    await app.close();
  });

  test("are pulled from an iterable under the app's credit", async () => {
    let pulled = 0;
    function* endless(): Generator<number> {
      for (;;) yield (pulled += 1);
    }
    const hang: Step = (stream) => stream.mapAsync(() => new Promise(() => {}), { concurrency: 100, name: "hang" });
    const { app } = feeding(endless(), hang, { maxInFlight: 5 });
    await app.start();
    while (app.metrics.nodes.get("hang")?.running !== 5) await turn();
    await turn();
    expect(pulled).toBe(5);
    await app.close({ drainMs: 1 });
  });

  test("go on when a value is settled in the very moment in which the credit was used up", async () => {
    const step: Step = (stream) => stream.mapAsync((value) => value).filter((value) => value === "c");
    const { app, broker } = feeding(["a", "b", "c"], step, { maxInFlight: 1 });
    await app.start();
    await app.whenSettled(3);
    expect(written(broker)).toEqual(["c"]);
    await app.close();
  });

  test("may be the letters of a text: it is an iterable", async () => {
    const { app, broker } = feeding("abc");
    await app.start();
    await app.whenSettled(3);
    expect(written(broker)).toEqual(["a", "b", "c"]);
    await app.close();
  });

  test("that an Observable pushes beyond the credit wait", async () => {
    const gates: (() => void)[] = [];
    const slow: Step = (stream) =>
      stream.mapAsync((value) => new Promise((resolve) => gates.push(() => resolve(value))), { concurrency: 9 });
    const { app, broker } = feeding(of(1, 2, 3), slow, { maxInFlight: 2 });
    await app.start();
    expect(app.metrics).toMatchObject({ delivered: 2, inFlight: 2 });
    gates[0]?.();
    await app.whenSettled(1);
    expect(app.metrics).toMatchObject({ delivered: 3, inFlight: 2 });
    for (const open of gates) open();
    await app.whenSettled(3);
    expect(written(broker)).toEqual(["1", "2", "3"]);
    await app.close();
  });

  test("are not encoded unless somebody wants their bytes", async () => {
    let encoded = 0;
    const value = { toString: () => "v", toJSON: () => (encoded += 1) };
    const { app, broker } = feeding([value]);
    await app.start();
    await app.whenSettled(1);
    expect(written(broker)).toEqual(["v"]);
    expect(encoded).toBe(0);
    await app.close();
  });

  test("have positions, no keys, and the time of their arrival", async () => {
    const { app } = feeding([7, 8]);
    const seen: unknown[] = [];
    app.results("values").subscribe(({ position, key, value }) => seen.push([position, key, value]));
    const before = Date.now();
    app.results("values").subscribe(({ timestamp }) => expect(timestamp).toBeGreaterThanOrEqual(before));
    await app.start();
    await app.whenSettled(2);
    expect(seen).toEqual([
      ["input:values@0", null, 7],
      ["input:values@1", null, 8],
    ]);
    await app.close();
  });
});

describe("an input that fails", () => {
  test("at once rejects the start", async () => {
    const { app } = feeding(throwError(() => new Error("no input")));
    await expect(app.start()).rejects.toThrow("no input");
    expect(app.state).toBe("ERROR");
  });

  test("later fails the app", async () => {
    const input = new Subject<string>();
    const { app } = feeding(input);
    await app.start();
    input.error(new Error("cut"));
    await expect(app.whenSettled(1)).rejects.toThrow("cut");
    expect(app.state).toBe("ERROR");
  });
});

describe("close, for values of the program", () => {
  test("waits for what is under way, counts it, and pulls no more", async () => {
    let open: (() => void) | undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const { app, broker } = feeding(concat(of("a", "b"), NEVER), (stream) =>
      stream.mapAsync((value) => gate.then(() => value), { concurrency: 2 }),
    );
    await app.start();
    const closed = app.close();
    open?.();
    expect(await closed).toEqual({ settled: 2, released: 0, abandoned: 0 });
    expect(written(broker)).toEqual(["a", "b"]);
  });

  test("counts what was not done in time", async () => {
    const { app } = feeding(concat(of("a"), NEVER), (stream) => stream.mapAsync(() => new Promise(() => {})));
    await app.start();
    expect(await app.close({ drainMs: 10 })).toEqual({ settled: 0, released: 0, abandoned: 1 });
    expect(app.state).toBe("NOT_RUNNING");
  });

  test("counts what waits for another attempt as given back", async () => {
    const { app } = feeding(
      concat(of("a"), NEVER),
      (stream) =>
        stream.filter(() => {
          throw new Error("not now");
        }),
      { errors: { process: "RETRY" } },
    );
    await app.start();
    expect(await app.close()).toEqual({ settled: 0, released: 1, abandoned: 0 });
  });

  test("unsubscribes from an Observable", async () => {
    const input = new Subject<string>();
    const { app } = feeding(input);
    await app.start();
    expect(input.observed).toBe(true);
    await app.close();
    expect(input.observed).toBe(false);
  });

  test("lets a generator get to its end, and is not kept by one that refuses", async () => {
    let ended = false;
    async function* endless(): AsyncGenerator<string> {
      try {
        for (;;) yield "a";
      } finally {
        ended = true;
        // oxlint-disable-next-line no-unsafe-finally -- what a bad source does
        throw new Error("refuses to end");
      }
    }
    const { app } = feeding(endless(), (stream) => stream.mapAsync(() => new Promise(() => {})), { maxInFlight: 1 });
    await app.start();
    await app.close({ drainMs: 1 });
    expect(ended).toBe(true);
    expect(app.state).toBe("NOT_RUNNING");
  });
});
