import { describe, expect, it } from "vitest";
import { kafkaSettings } from "../../../src/brokers/kafka/options.ts";
import type { KafkaOptions } from "../../../src/brokers/kafka/options.ts";
import { ConfigError } from "../../../src/core/errors.ts";

const brokers = ["localhost:9092"];

describe("kafkaSettings", () => {
  it("fills in what is not given", () => {
    expect(kafkaSettings({ brokers })).toMatchObject({
      clientId: "millrace",
      sessionTimeoutMs: 10_000,
      heartbeatIntervalMs: 1_000,
      rebalanceDrainMs: 1_000,
      maxWaitMs: 100,
      deliveryTimeoutMs: Infinity,
      compression: "none",
      createTopics: undefined,
    });
  });

  it("keeps the heartbeat below a third of a short session", () => {
    expect(kafkaSettings({ brokers, sessionTimeoutMs: 1_000 }).heartbeatIntervalMs).toBe(200);
  });

  it.each<[string, Partial<KafkaOptions>]>([
    ["no brokers", { brokers: [] }],
    ["a broker without a port", { brokers: ["localhost"] }],
    ["a session below its minimum", { sessionTimeoutMs: 99 }],
    ["a number that is none", { maxWaitMs: Number.NaN }],
    ["a heartbeat too slow for the session", { sessionTimeoutMs: 1_000, heartbeatIntervalMs: 500 }],
    ["a drain too long for the rebalance", { rebalanceTimeoutMs: 1_000, rebalanceDrainMs: 600 }],
    ["topics without partitions", { createTopics: { partitions: 0, replicationFactor: 1 } }],
    ["compression without its codec", { compression: "zstd" }],
  ])("refuses %s", (_, options) => {
    expect(() => kafkaSettings({ brokers, ...options })).toThrow(ConfigError);
  });

  it("takes compression with its codec", () => {
    const codec = () => ({
      compress: ({ buffer }: { readonly buffer: Buffer }) => Promise.resolve(buffer),
      decompress: (buffer: Buffer) => Promise.resolve(buffer),
    });
    expect(kafkaSettings({ brokers, compression: "lz4", codecs: { lz4: codec } }).compression).toBe("lz4");
  });
});
