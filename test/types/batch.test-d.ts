import { expectTypeOf, test } from "vitest";
import {
  type BatchedKStream,
  engineModel,
  type EngineSource,
  type KStream,
  type Model,
  type ModelSource,
  numberSerde,
  type StreamRecord,
  stringSerde,
  StreamsBuilder,
  type TensorCodec,
} from "millrace";

interface Range {
  readonly start: number;
  readonly end: number;
}

interface Labels {
  readonly labels: readonly string[];
}

declare const classifier: ModelSource<Range, Labels>;
declare const engine: EngineSource;

const builder = new StreamsBuilder();
const lines = builder.stream("lines", { value: stringSerde });
const ranges = lines.mapValues((line): Range => ({ start: 0, end: line.length }));

test("batch groups the stream's own types", () => {
  expectTypeOf(ranges.batch({ maxSize: 8 })).toEqualTypeOf<BatchedKStream<string | null, Range>>();
  ranges.batch({ maxSize: 8, maxWaitMs: 5, rows: (range) => range.end - range.start });
  // @ts-expect-error a size is needed
  ranges.batch({});
  // @ts-expect-error rows are a number
  ranges.batch({ maxSize: 8, rows: (range) => range });
});

test("infer gives the joiner the input, the output and the record", () => {
  const results = ranges.batch({ maxSize: 8 }).infer(
    classifier,
    (input, output, record) => {
      expectTypeOf(input).toEqualTypeOf<Range>();
      expectTypeOf(output).toEqualTypeOf<Labels>();
      expectTypeOf(record).toEqualTypeOf<StreamRecord<string | null, Range>>();
      return { ...input, ...output };
    },
    { name: "infer", ordered: "key" },
  );
  expectTypeOf(results).toEqualTypeOf<
    KStream<string | null, { labels: readonly string[]; start: number; end: number }>
  >();
});

test("infer's result is whatever the joiner gives", () => {
  const counts = ranges.batch({ maxSize: 8 }).infer(classifier, (_, { labels }) => labels.length);
  expectTypeOf(counts).toEqualTypeOf<KStream<string | null, number>>();
});

test("infer takes a model of the stream's values only", () => {
  // @ts-expect-error the model takes ranges, the stream has text
  lines.batch({ maxSize: 8 }).infer(classifier, (_, output) => output);
  // @ts-expect-error a model must not be open already: its source is given
  ranges.batch({ maxSize: 8 }).infer({} as Model<Range, Labels>, (_, output) => output);
  // @ts-expect-error there is no such order
  ranges.batch({ maxSize: 8 }).infer(classifier, (_, output) => output, { ordered: "nope" });
  // @ts-expect-error the model says how many calls may overlap
  ranges.batch({ maxSize: 8 }).infer(classifier, (_, output) => output, { concurrency: 2 });
});

test("a model is an engine and a codec", () => {
  const codec: TensorCodec<Range, Labels> = {
    rows: (range) => range.end - range.start,
    slice: (range, from, to) => ({ start: range.start + from, end: range.start + to }),
    encode: () => ({}),
    decode: (_, inputs) => inputs.map(() => ({ labels: [] })),
    join: (outputs) => ({ labels: outputs.flatMap(({ labels }) => labels) }),
  };
  expectTypeOf(engineModel(engine, codec, { name: "cnn" })).toEqualTypeOf<ModelSource<Range, Labels>>();
});

test("mapBatch gives many values and takes as many results", () => {
  const lengths = lines.batch({ maxSize: 8 }).mapBatch((values, records) => {
    expectTypeOf(values).toEqualTypeOf<readonly string[]>();
    expectTypeOf(records).toEqualTypeOf<readonly StreamRecord<string | null, string>[]>();
    return values.map(({ length }) => length);
  });
  expectTypeOf(lengths).toEqualTypeOf<KStream<string | null, number>>();
  const later = lines.batch({ maxSize: 8 }).mapBatch(async (values) => values.map(({ length }) => ({ length })));
  expectTypeOf(later).toEqualTypeOf<KStream<string | null, { length: number }>>();
  later.mapValues(({ length }) => length).to("out", { value: numberSerde });
  // @ts-expect-error one result for many values
  lines.batch({ maxSize: 8 }).mapBatch((values) => values.length);
});
