import { describe, expect, expectTypeOf, test } from "vitest";
import { z } from "zod";
import { headerText, originOf, textHeader, withHeaders } from "../../../src/core/provenance.ts";
import { bytesSerde, jsonSerde, nullable, numberSerde, stringSerde, type Serde } from "../../../src/core/serde.ts";

async function roundTrip<T>(serde: Serde<T>, value: T): Promise<T> {
  return serde.deserialize(await serde.serialize(value, [], "T"), [], "T");
}

describe("serdes", () => {
  test.each(["", "abc", "Müller", "\u{1F9E5}"])("text %j", async (value) => {
    expect(await roundTrip(stringSerde, value)).toBe(value);
  });

  test("text refuses bytes that are not UTF-8", () => {
    expect(() => stringSerde.deserialize(new Uint8Array([0xff, 0xfe]), [], "T")).toThrow(TypeError);
  });

  test.each([0, -0, 1.5, -1e308, Number.NaN, Number.POSITIVE_INFINITY])("number %d", async (value) => {
    expect(await roundTrip(numberSerde, value)).toBe(value);
  });

  test("a number is eight bytes, big-endian, as Kafka's DoubleSerializer writes it", () => {
    expect(numberSerde.serialize(1, [], "T")).toEqual(new Uint8Array([0x3f, 0xf0, 0, 0, 0, 0, 0, 0]));
    expect(() => numberSerde.deserialize(new Uint8Array(7), [], "T")).toThrow("a number is 8 bytes, got 7");
  });

  test("bytes are themselves", () => {
    const bytes = new Uint8Array([1]);
    expect(bytesSerde.serialize(bytes, [], "T")).toBe(bytes);
  });

  test("JSON with a schema gives its output type, and says what is wrong and where", async () => {
    const serde = jsonSerde(z.object({ at: z.object({ x: z.number() }) }).transform(({ at }) => at.x));
    expectTypeOf(serde).toEqualTypeOf<Serde<number>>();
    const bytes = new TextEncoder().encode('{"at":{"x":"1"}}');
    await expect(async () => serde.deserialize(bytes, [], "T")).rejects.toThrow(/^at\.x: /);
    expect(await serde.deserialize(new TextEncoder().encode('{"at":{"x":1}}'), [], "T")).toBe(1);
  });

  test("JSON refuses what is not JSON, both ways", () => {
    expect(() => jsonSerde().deserialize(new TextEncoder().encode("{"), [], "T")).toThrow(SyntaxError);
    expect(() => jsonSerde().serialize(undefined, [], "T")).toThrow("undefined is not JSON");
  });

  test("an asynchronous schema makes an asynchronous serde", async () => {
    const schema = z.string().refine(async (text) => text !== "bad", "must not be bad");
    const answer = jsonSerde({
      "~standard": {
        version: 1,
        vendor: "test",
        validate: async (value) => {
          const result = await schema.safeParseAsync(value);
          return result.success ? { value: result.data } : { issues: result.error.issues };
        },
      },
    }).deserialize(new TextEncoder().encode('"bad"'), [], "T");
    await expect(answer).rejects.toThrow("must not be bad");
  });

  test("nullable says so, and is otherwise the same", async () => {
    expect(nullable(stringSerde).nullable).toBe(true);
    expect(await roundTrip(nullable(stringSerde), "a")).toBe("a");
  });
});

describe("headers", () => {
  const headers = [textHeader("a", "1"), textHeader("b", "2"), textHeader("a", "3")];

  test("the last of a name counts", () => {
    expect([headerText(headers, "a"), headerText(headers, "c")]).toEqual(["3", undefined]);
  });

  test("added ones take the place of those of their names", () => {
    expect(withHeaders(headers, [textHeader("a", "4")]).map(([name]) => name)).toEqual(["b", "a"]);
  });

  test("an origin header stands for the position", () => {
    expect(originOf(headers, "here")).toBe("here");
    expect(originOf([textHeader("millrace-origin", "there")], "here")).toBe("there");
  });
});
