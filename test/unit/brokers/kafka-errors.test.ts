import { describe, expect, it } from "vitest";
import { classify, rootCause } from "../../../src/brokers/kafka/kafkajs-errors.ts";

const protocol = (type: string): Error =>
  Object.assign(new Error(type), { name: "KafkaJSProtocolError", type, code: 1 });
const wrapped = (cause: Error): Error =>
  Object.assign(new Error("wrapped", { cause }), { name: "KafkaJSNonRetriableError" });

describe("rootCause", () => {
  it("follows causes and original errors to the innermost", () => {
    const original = Object.assign(new Error("outer"), { originalError: wrapped(protocol("ILLEGAL_GENERATION")) });
    expect(rootCause(wrapped(original))).toEqual({
      name: "KafkaJSProtocolError",
      message: "ILLEGAL_GENERATION",
      type: "ILLEGAL_GENERATION",
      code: 1,
    });
  });

  it("takes anything that can be thrown", () => {
    expect(rootCause("no").message).toBe("no");
    expect(rootCause(undefined).message).toBe("undefined");
    expect(rootCause({}).name).toBe("Error");
  });

  it("ends where errors cause each other", () => {
    const a = new Error("a");
    const b = new Error("b", { cause: a });
    a.cause = b;
    expect(["a", "b"]).toContain(rootCause(a).message);
  });
});

describe("classify", () => {
  it.each([
    ["MESSAGE_TOO_LARGE", "poison"],
    ["INVALID_RECORD", "poison"],
    ["TOPIC_AUTHORIZATION_FAILED", "fatal"],
    ["INVALID_TOPIC_EXCEPTION", "fatal"],
    ["OUT_OF_ORDER_SEQUENCE_NUMBER", "reinit"],
    ["INVALID_PRODUCER_EPOCH", "reinit"],
    ["NOT_ENOUGH_REPLICAS", "retry"],
    ["UNKNOWN_TOPIC_OR_PARTITION", "retry"],
  ])("calls %s %s, however deep it is", (type, expected) => {
    expect(classify(protocol(type))).toBe(expected);
    expect(classify(wrapped(wrapped(protocol(type))))).toBe(expected);
  });

  it.each([
    ["TypeError", "poison"],
    ["KafkaJSNotImplemented", "fatal"],
    ["KafkaJSSASLAuthenticationError", "fatal"],
    ["KafkaJSLockTimeout", "reinit"],
    ["KafkaJSConnectionError", "retry"],
    ["KafkaJSRequestTimeoutError", "retry"],
  ])("calls an error named %s %s", (name, expected) => {
    expect(classify(wrapped(Object.assign(new Error("x"), { name })))).toBe(expected);
  });

  it("retries a refused connection, which kafkajs calls not retriable", () => {
    const refused = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
    expect(classify(wrapped(refused))).toBe("retry");
  });
});
