import { pubsubBroker, type PubSubOptions } from "millrace/pubsub";
import { asyncScheduler } from "rxjs";
import { silentLogger } from "millrace";
import { describe, expect, it } from "vitest";
import { pubsubSettings, subscriptionName, topicName } from "../../../src/brokers/pubsub/options.ts";

describe("pubsubBroker", () => {
  it("tells what it can", () => {
    expect(pubsubBroker({ projectId: "p", ordering: false, maxRecordBytes: 5 })).toMatchObject({
      name: "pubsub",
      defaultMaxInFlight: 1_000,
      capabilities: { exactlyOnce: false, partitions: false, keyOrder: false, replay: false, maxRecordBytes: 5 },
    });
  });

  it("names topics and subscriptions", () => {
    const settings = pubsubSettings({ topics: { a: "topic-a" }, subscriptions: { b: "sub-b" } });
    expect(topicName(settings, "a")).toBe("topic-a");
    expect(subscriptionName(settings, "a", "group")).toBe("topic-a-group");
    expect(topicName(settings, "b")).toBe("b");
    expect(subscriptionName(settings, "b", "group")).toBe("sub-b");
  });

  it.each<PubSubOptions>([
    { maxRecordBytes: 0 },
    { maxRecordBytes: 10_000_001 },
    { maxExtensionMs: -1 },
    { maxInFlightPerKey: 0.5 },
    { maxOutstandingBytes: Number.NaN },
    { minBackoffMs: 50, maxBackoffMs: 49 },
    { topics: { a: "1" } },
    { subscriptions: { a: "goog-sub" } },
    { filter: "what?" },
  ])("refuses %j", (options) => {
    expect(() => pubsubBroker(options)).toThrow(expect.objectContaining({ code: "ERR_CONFIG" }));
  });

  it("refuses exactly_once", async () => {
    const open = pubsubBroker({ projectId: "p", emulatorHost: "localhost:1" }).open({
      groupId: "g",
      maxInFlight: 1,
      processingGuarantee: "exactly_once",
      commitIntervalMs: 1,
      autoOffsetReset: {},
      topics: [],
      scheduler: asyncScheduler,
      logger: silentLogger,
    });
    await expect(open).rejects.toMatchObject({ code: "ERR_CONFIG" });
  });
});
