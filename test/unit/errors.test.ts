import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  BrokerError,
  ConfigError,
  DecodeError,
  EngineError,
  errorCodes,
  InferenceError,
  messageOf,
  ProcessError,
  PublishError,
  StoppedError,
  StreamsError,
} from "../../src/core/errors.ts";

const position = "memory:in/0@7";
const errors: readonly StreamsError[] = [
  new ConfigError("why"),
  new DecodeError("why", position),
  new ProcessError("why", position),
  new InferenceError("why", { shape: [2, 3] }),
  new EngineError("why"),
  new BrokerError("why", "memory"),
  new PublishError("why", position),
  new StoppedError("why"),
];

describe("ERRORS.md", () => {
  const text = readFileSync(new URL("../../ERRORS.md", import.meta.url), "utf8");

  const cells = /^\| `(ERR_\w+)` +\| `(\w+)` +\| (yes|no)[^|]*\| ([^|]+?) +\| ([^|]+?) +\|$/gm;
  const rows = [...text.matchAll(cells)].map(([, code, name, retryable, meaning, remedy]) => ({
    code,
    name,
    retryable,
    meaning,
    remedy,
  }));

  test("has a row for each code, in their order, and none for another", () => {
    expect(rows.map(({ code }) => code)).toEqual(errorCodes);
    expect(new Set(text.match(/ERR_\w+/g))).toEqual(new Set(errorCodes));
  });

  test("names the class of each code, and whether it is retryable", () => {
    expect(rows.map(({ code, name, retryable }) => ({ code, name, retryable }))).toEqual(
      errors.map(({ code, name, retryable }) => ({ code, name, retryable: retryable ? "yes" : "no" })),
    );
  });

  test.each(rows)("says what $code means and what to do", ({ meaning, remedy }) => {
    expect(meaning).toMatch(/^\w.*\.$/);
    expect(remedy).toMatch(/^\w.*\.$/);
  });
});

describe("a StreamsError", () => {
  test("exists for each code, once", () => {
    expect(errors.map(({ code }) => code)).toEqual(errorCodes);
  });

  test.each(errors)("has the name of its class: $name", (error) => {
    expect(error).toBeInstanceOf(StreamsError);
    expect(error).toBeInstanceOf(Error);
    expect(error.name).toBe(error.constructor.name);
    expect(error.message).toMatch(/^why/);
  });

  test("keeps its cause and what it knows", () => {
    const cause = new Error("deep");
    expect(new ConfigError("why", { cause }).cause).toBe(cause);
    expect(new DecodeError("why", position, { cause })).toMatchObject({
      cause,
      position,
      message: `why (at ${position})`,
    });
    expect(new InferenceError("why", { shape: [2, 3] }).shape).toEqual([2, 3]);
    expect(new BrokerError("why", "kafka").broker).toBe("kafka");
  });

  test("is for ever when the record that could not be written is the reason", () => {
    expect(new PublishError("too large", position, { retryable: false }).retryable).toBe(false);
  });
});

test("messageOf reads whatever was thrown", () => {
  expect([new Error("a"), "b", 3, null].map(messageOf)).toEqual(["a", "b", "3", "null"]);
});
