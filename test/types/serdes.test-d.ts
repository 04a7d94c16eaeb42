import { describe, expectTypeOf, test } from "vitest";
import { z } from "zod";
import {
  bytesSerde,
  type Deserializer,
  jsonSerde,
  type KStream,
  nullable,
  numberSerde,
  type Serde,
  type Serializer,
  stringSerde,
  StreamsBuilder,
} from "millrace";

const rangeSchema = z.object({ start: z.int(), end: z.int(), note: z.string().optional() });
type Range = z.infer<typeof rangeSchema>;
const rangeSerde = jsonSerde(rangeSchema);

const builder = new StreamsBuilder();
const lines = builder.stream("lines", { value: stringSerde });
const lengths = lines.mapValues((line) => line.length);
const numbered = lines.selectKey((line) => line.length);

describe("serdes", () => {
  test("say what they read and write", () => {
    expectTypeOf(stringSerde).toEqualTypeOf<Serde<string>>();
    expectTypeOf(numberSerde).toEqualTypeOf<Serde<number>>();
    expectTypeOf(bytesSerde).toEqualTypeOf<Serde<Uint8Array>>();
    expectTypeOf(jsonSerde()).toEqualTypeOf<Serde<unknown>>();
  });

  test("jsonSerde takes the output type of a schema", () => {
    expectTypeOf(rangeSerde).toEqualTypeOf<Serde<Range>>();
    const flag = jsonSerde(z.string().transform((text) => text === "yes"));
    expectTypeOf(flag).toEqualTypeOf<Serde<boolean>>();
    expectTypeOf(builder.stream("ranges", { value: rangeSerde })).toEqualTypeOf<KStream<string | null, Range>>();
  });

  test("nullable lets null through, and only there", () => {
    expectTypeOf(nullable(stringSerde)).toEqualTypeOf<Serde<string | null>>();
    const maybe = builder.stream("t", { value: nullable(stringSerde) });
    expectTypeOf(maybe).toEqualTypeOf<KStream<string | null, string | null>>();
    maybe.to("out", { value: nullable(stringSerde) });
    // @ts-expect-error the value may be null, which this serde does not write
    maybe.to("out", { value: stringSerde });
  });

  test("one direction is enough for one end", () => {
    const reader: Deserializer<number> = { deserialize: (bytes) => bytes.length };
    const writer: Serializer<number> = { serialize: async (value) => Uint8Array.of(value) };
    builder.stream("t", { value: reader }).to("out", { value: writer });
    // @ts-expect-error a reader can't write
    lengths.to("out", { value: reader });
  });
});

describe("to", () => {
  test("takes a serde of the stream's values", () => {
    lengths.to("out", { value: numberSerde });
    lines.to((line) => line, { value: stringSerde });
    // @ts-expect-error numbers are not text
    lengths.to("out", { value: stringSerde });
    // @ts-expect-error text is no range
    lines.to("out", { value: rangeSerde });
    // @ts-expect-error a value serde is needed
    lines.to("out", {});
    // @ts-expect-error options are needed
    lines.to("out");
  });

  test("needs a key serde where keys are not text", () => {
    numbered.to("out", { key: numberSerde, value: stringSerde });
    lines.to("out", { key: stringSerde, value: stringSerde });
    lines.selectKey(() => null).to("out", { value: stringSerde });
    // @ts-expect-error keys are numbers: nothing would write them
    numbered.to("out", { value: stringSerde });
    // @ts-expect-error keys are numbers, not text
    numbered.to("out", { key: stringSerde, value: stringSerde });
    // @ts-expect-error keys are text or numbers
    lines.merge(numbered).to("out", { value: stringSerde });
  });

  test("gives the topic's function and the partitioner their types", () => {
    numbered.to(
      (value, record) => {
        expectTypeOf(value).toEqualTypeOf<string>();
        expectTypeOf(record.key).toEqualTypeOf<number>();
        return value;
      },
      {
        key: numberSerde,
        value: stringSerde,
        partitioner: (record, partitions) => {
          expectTypeOf(record.key).toEqualTypeOf<number>();
          return record.key % partitions;
        },
      },
    );
    // @ts-expect-error a topic is text
    lines.to(() => 7, { value: stringSerde });
    // @ts-expect-error a topic is not awaited
    lines.to(async (line) => line, { value: stringSerde });
  });

  test("takes only what it knows", () => {
    // @ts-expect-error there is no such option
    lengths.to("out", { value: numberSerde, partitions: 3 });
  });

  test("ends the stream, as print and foreach do", () => {
    expectTypeOf(lengths.to("out", { value: numberSerde })).toEqualTypeOf<void>();
    expectTypeOf(lengths.print()).toEqualTypeOf<void>();
    expectTypeOf(lengths.foreach(() => {})).toEqualTypeOf<void>();
  });
});

test("print's format gets the record, and its write may be awaited", () => {
  lengths.print({ format: ({ key, value }) => `${key ?? "-"}: ${value.toFixed()}`, write: async () => {} });
  // @ts-expect-error a line is text
  lengths.print({ format: ({ value }) => value });
});
