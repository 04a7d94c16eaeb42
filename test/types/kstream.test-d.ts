import { from, of, type Observable } from "rxjs";
import { describe, expectTypeOf, test } from "vitest";
import {
  type BatchedKStream,
  bytesSerde,
  type KStream,
  numberSerde,
  type Position,
  type Processor,
  type ProcessorContext,
  StreamRecord,
  stringSerde,
  StreamsBuilder,
} from "millrace";

const builder = new StreamsBuilder();
const lines = builder.stream("lines", { value: stringSerde });
const lengths = lines.mapValues((line) => line.length);

interface Circle {
  readonly kind: "circle";
  readonly radius: number;
}

interface Square {
  readonly kind: "square";
  readonly side: number;
}

const shapes = lines.mapValues((line): Circle | Square =>
  line === "o" ? { kind: "circle", radius: 1 } : { kind: "square", side: 2 },
);

describe("stream", () => {
  test("has text for keys, or null, unless a serde says otherwise", () => {
    expectTypeOf(lines).toEqualTypeOf<KStream<string | null, string>>();
    expectTypeOf(builder.stream(["a", "b"], { value: numberSerde })).toEqualTypeOf<KStream<string | null, number>>();
    expectTypeOf(builder.stream("n", { key: numberSerde, value: bytesSerde })).toEqualTypeOf<
      KStream<number | null, Uint8Array>
    >();
  });

  test("gives the timestamp extractor the value", () => {
    builder.stream("t", {
      value: numberSerde,
      timestamp: (value, raw) => {
        expectTypeOf(value).toEqualTypeOf<number>();
        expectTypeOf(raw.value).toEqualTypeOf<Uint8Array | null>();
        return value;
      },
    });
  });

  test("takes only what it knows", () => {
    // @ts-expect-error a value serde is needed
    builder.stream("t", {});
    // @ts-expect-error there is no such option
    builder.stream("t", { value: stringSerde, valeu: stringSerde });
    // @ts-expect-error there are two ways to begin
    builder.stream("t", { value: stringSerde, autoOffsetReset: "newest" });
  });
});

describe("fromObservable", () => {
  test("takes its values' type from any input of RxJS, and has no keys", () => {
    expectTypeOf(builder.fromObservable(of(1, 2))).toEqualTypeOf<KStream<null, number>>();
    expectTypeOf(builder.fromObservable(["a", "b"])).toEqualTypeOf<KStream<null, string>>();
    expectTypeOf(builder.fromObservable(Promise.resolve({ id: 1 }))).toEqualTypeOf<KStream<null, { id: number }>>();
    expectTypeOf(builder.fromObservable(ticks())).toEqualTypeOf<KStream<null, bigint>>();
  });
});

describe("one record in, one out", () => {
  test("map gives a new key and a new value", () => {
    expectTypeOf(lines.map((value) => ({ key: value.length, value: value === "" }))).toEqualTypeOf<
      KStream<number, boolean>
    >();
    expectTypeOf(lines.map((value, { key }) => ({ key, value }))).toEqualTypeOf<KStream<string | null, string>>();
  });

  test("mapValues keeps the key", () => {
    expectTypeOf(lengths).toEqualTypeOf<KStream<string | null, number>>();
    expectTypeOf(lines.mapValues((line) => ({ line }))).toEqualTypeOf<KStream<string | null, { line: string }>>();
    expectTypeOf(lines.mapValues((line) => (line === "" ? null : line))).toEqualTypeOf<
      KStream<string | null, string | null>
    >();
  });

  test("selectKey keeps the value", () => {
    expectTypeOf(lengths.selectKey((length) => length)).toEqualTypeOf<KStream<number, number>>();
    expectTypeOf(lengths.selectKey((_, { key }) => key ?? "none")).toEqualTypeOf<KStream<string, number>>();
  });

  test("callbacks get the value and the record", () => {
    lengths.mapValues((value, record) => {
      expectTypeOf(value).toEqualTypeOf<number>();
      expectTypeOf(record).toEqualTypeOf<StreamRecord<string | null, number>>();
      expectTypeOf(record.position).toEqualTypeOf<Position>();
      return value;
    });
  });

  test("peek changes nothing", () => {
    expectTypeOf(lengths.peek((length) => console.log(length))).toEqualTypeOf<KStream<string | null, number>>();
  });

  test("mapAsync unwraps the promise", () => {
    expectTypeOf(lines.mapAsync(async (line) => line.length)).toEqualTypeOf<KStream<string | null, number>>();
    expectTypeOf(lines.mapAsync((line) => line.length, { concurrency: 4, ordered: "key" })).toEqualTypeOf<
      KStream<string | null, number>
    >();
  });
});

describe("one record in, any number out", () => {
  test("flatMap and flatMapValues take the type of what the iterable gives", () => {
    expectTypeOf(lines.flatMap((line) => [{ key: line.length, value: line }])).toEqualTypeOf<KStream<number, string>>();
    expectTypeOf(lines.flatMapValues((line) => [line.length])).toEqualTypeOf<KStream<string | null, number>>();
    expectTypeOf(lines.flatMapValues((line) => new Set([line]))).toEqualTypeOf<KStream<string | null, string>>();
    expectTypeOf(
      lines.flatMapValues(function* (line) {
        for (const letter of line) yield { letter };
      }),
    ).toEqualTypeOf<KStream<string | null, { letter: string }>>();
  });

  test("mergeMap and concatMap take whatever RxJS takes", () => {
    expectTypeOf(lines.concatMap((line) => of(line.length))).toEqualTypeOf<KStream<string | null, number>>();
    expectTypeOf(lines.concatMap(async (line) => line.length)).toEqualTypeOf<KStream<string | null, number>>();
    expectTypeOf(lines.mergeMap((line) => from([line]), { concurrency: 2 })).toEqualTypeOf<
      KStream<string | null, string>
    >();
    // @ts-expect-error a concurrency is needed: nothing is without bound
    lines.mergeMap((line) => of(line));
  });
});

describe("some of the records", () => {
  test("filter narrows with a type guard and keeps the type without", () => {
    expectTypeOf(shapes.filter((shape): shape is Circle => shape.kind === "circle")).toEqualTypeOf<
      KStream<string | null, Circle>
    >();
    expectTypeOf(lines.filter((line) => line.length > 1)).toEqualTypeOf<KStream<string | null, string>>();
    expectTypeOf(lines.filterNot((line, { key }) => line === key)).toEqualTypeOf<KStream<string | null, string>>();
  });

  test("filter narrows by itself where the compiler sees a guard", () => {
    expectTypeOf(shapes.filter((shape) => shape.kind === "circle")).toEqualTypeOf<KStream<string | null, Circle>>();
  });

  test("a split's branches have its types", () => {
    const branches = lengths
      .split({ name: "s-" })
      .branch((length) => length > 1)
      .branch((length, { key }) => key === null && length > 0, { name: "null" })
      .defaultBranch();
    expectTypeOf(branches.get("s-1")).toEqualTypeOf<KStream<string | null, number>>();
    expectTypeOf(branches.names).toEqualTypeOf<readonly string[]>();
    // @ts-expect-error a branch needs a predicate
    lengths.split().branch();
    // @ts-expect-error a name is no predicate
    lengths.split().branch({ name: "a" });
    // A split is no stream: it must be ended first.
    expectTypeOf(lengths.split().branch(() => true)).not.toHaveProperty("to");
  });

  test("merge unites keys and values", () => {
    expectTypeOf(lines.merge(lengths)).toEqualTypeOf<KStream<string | null, string | number>>();
    expectTypeOf(lengths.selectKey((length) => length).merge(lines)).toEqualTypeOf<
      KStream<number | string | null, number | string>
    >();
  });
});

test("a stream of a narrower type stands where a wider one is wanted", () => {
  const circles = shapes.filter((shape) => shape.kind === "circle");
  expectTypeOf(circles).toExtend<KStream<string | null, Circle | Square>>();
  expectTypeOf(circles.selectKey(() => "round")).toExtend<KStream<string | null, Circle | Square>>();
  expectTypeOf(circles.batch({ maxSize: 8 })).toExtend<BatchedKStream<string | null, Circle | Square>>();
  expectTypeOf(shapes).not.toExtend<KStream<string | null, Circle>>();
  expectTypeOf(lengths).not.toExtend<KStream<string | null, string>>();
});

describe("process", () => {
  test("takes the types of what it forwards from its supplier", () => {
    class Lengths implements Processor<string | null, string, number, boolean> {
      private context: ProcessorContext<number, boolean> | undefined = undefined;

      init(context: ProcessorContext<number, boolean>): void {
        this.context = context;
      }

      process(record: StreamRecord<string | null, string>): void {
        this.context?.forward(record.withKeyValue(record.value.length, true));
        // @ts-expect-error text is not what this processor forwards
        this.context?.forward(record);
      }
    }
    expectTypeOf(lines.process(() => new Lengths())).toEqualTypeOf<KStream<number, boolean>>();
    // @ts-expect-error the processor reads text, the stream has numbers
    lengths.process(() => new Lengths());
  });

  test("an inline processor gets its record typed, and says what it forwards", () => {
    const texts = lengths.process<string, string>(() => ({
      init: (context) => expectTypeOf(context).toEqualTypeOf<ProcessorContext<string, string>>(),
      process: (record) => expectTypeOf(record).toEqualTypeOf<StreamRecord<string | null, number>>(),
    }));
    expectTypeOf(texts).toEqualTypeOf<KStream<string, string>>();
    // What it forwards can't be seen in the code of a function: unknown, which no serde takes by mistake.
    expectTypeOf(lengths.process(() => ({ process: () => {} }))).toEqualTypeOf<KStream<unknown, unknown>>();
  });
});

describe("a synchronous operator takes no promise", () => {
  test("mapValues, map, selectKey", () => {
    // @ts-expect-error a promise; mapAsync takes those
    lines.mapValues(async (line) => line.length);
    // @ts-expect-error a promise, sometimes
    lines.mapValues((line) => (line === "" ? 0 : Promise.resolve(1)));
    // @ts-expect-error a promise
    lines.map(async (line) => ({ key: line, value: line }));
    // @ts-expect-error a promise
    lines.selectKey(async (line) => line);
  });

  test("peek, foreach", () => {
    // @ts-expect-error a promise
    lines.peek(async () => {});
    // @ts-expect-error a promise
    lines.foreach(async () => {});
    lines.foreach(() => {});
  });

  test("filter, filterNot, branch", () => {
    // @ts-expect-error a promise is always true
    lines.filter(async () => false);
    // @ts-expect-error a promise is always true
    lines.filterNot(async () => true);
    // @ts-expect-error a promise is always true
    lines.split().branch(async () => true);
  });

  test("flatMapValues, flatMap", () => {
    // @ts-expect-error a promise
    lines.flatMapValues(async (line) => [line]);
    // @ts-expect-error an async generator is no iterable
    lines.flatMapValues(async function* (line) {
      yield line;
    });
    // @ts-expect-error a promise
    lines.flatMap(async (line) => [{ key: line, value: line }]);
  });
});

describe("options", () => {
  test("unknown ones and wrong ones do not compile", () => {
    // @ts-expect-error there is no such option
    lines.filter(() => true, { nam: "valid" });
    // @ts-expect-error there is no such order
    lines.mapAsync((line) => line, { ordered: "nope" });
    // @ts-expect-error there is no such order
    lines.mergeMap((line) => [line], { concurrency: 2, ordered: true });
    // @ts-expect-error filter is synchronous
    lines.filter(() => true, { concurrency: 2 });
  });
});

function ticks(): Observable<bigint> {
  return of(1n);
}
