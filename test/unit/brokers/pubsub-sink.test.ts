import type { PubSub } from "@google-cloud/pubsub";
import { silentLogger, type OutgoingRecord } from "millrace";
import { asyncScheduler } from "rxjs";
import { describe, expect, it } from "vitest";
import { pubsubSettings, type PubSubOptions } from "../../../src/brokers/pubsub/options.ts";
import { Sink } from "../../../src/brokers/pubsub/sink.ts";

interface Message {
  readonly data: Uint8Array;
  readonly orderingKey?: string;
}
type Fault = (value: string) => Error | undefined;

/** The part of the client that a sink uses: what is published in one turn is a batch, and a key that failed is shut until it is resumed. */
class FakeService {
  readonly log: string[] = [];
  calls = 0;
  private readonly fault: Fault;
  private readonly shut = new Map<string, Error>();

  constructor(fault: Fault) {
    this.fault = fault;
  }

  topic(_name: string, options: { readonly batching: { readonly maxMessages: number } }): object {
    let batch: { value: string; key: string; resolve: () => void; reject: (error: Error) => void }[] = [];
    const flush = (): void => {
      const sent = batch;
      batch = [];
      this.calls += 1;
      const error = sent.map(({ value }) => this.fault(value)).find((found) => found !== undefined);
      for (const { value, key, resolve, reject } of sent) {
        if (error === undefined) {
          this.log.push(value);
          resolve();
        } else {
          if (key !== "") this.shut.set(key, error);
          reject(error);
        }
      }
    };
    return {
      publishMessage: ({ data, orderingKey = "" }: Message): Promise<void> =>
        new Promise((resolve, reject) => {
          const shut = this.shut.get(orderingKey);
          if (shut !== undefined) {
            reject(shut);
            return;
          }
          batch.push({ value: new TextDecoder().decode(data), key: orderingKey, resolve, reject });
          if (options.batching.maxMessages === 1) flush();
          else if (batch.length === 1) setImmediate(flush);
        }),
      resumePublishing: (key: string) => void this.shut.delete(key),
    };
  }
}

function setUp(
  fault: Fault,
  options: PubSubOptions = {},
  provide?: () => Promise<void>,
): { service: FakeService; sink: Sink } {
  const service = new FakeService(fault);
  const sink = new Sink({
    // A sink uses nothing of the client but `topic`.
    client: service as unknown as PubSub,
    settings: pubsubSettings(options),
    scheduler: asyncScheduler,
    logger: silentLogger,
    provide: provide ?? (async () => {}),
  });
  return { service, sink };
}

function grpcError(code: number): Error {
  return Object.assign(new Error(`code ${code}`), { code });
}

function record(value: string, key: string | null = null): OutgoingRecord {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  return { topic: "topic", key: key === null ? null : bytes(key), value: bytes(value), headers: [], timestamp: 0 };
}

describe("Sink", () => {
  it.each([null, "key"])("sends again what failed for a while, with a key in order (key %j)", async (key) => {
    let failures = 3;
    const { service, sink } = setUp((value) => (value === "b" && failures-- > 0 ? grpcError(14) : undefined));
    await Promise.all(["a", "b", "c"].map((value) => sink.write([record(value, key)], "p")));
    await sink.write([record("d", key)], "p");
    // Without a key there is no order to keep.
    expect(key === null ? service.log.toSorted() : service.log).toEqual(["a", "b", "c", "d"]);
  });

  it.each([null, "key"])("rejects only the record that is refused (key %j)", async (key) => {
    const { service, sink } = setUp((value) => (value === "b" ? grpcError(3) : undefined));
    const answers = await Promise.allSettled(
      ["a", "b", "c", "d"].map((value) => sink.write([record(value, key)], "p")),
    );
    expect(answers.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
    expect(answers[1]).toMatchObject({ reason: { code: "ERR_PUBLISH", retryable: false, position: "p" } });
    expect(key === null ? service.log.toSorted() : service.log).toEqual(["a", "c", "d"]);
  });

  it.each([7, 16, 5])("answers code %i with ERR_BROKER", async (code) => {
    for (const key of [null, "key"]) {
      const { sink } = setUp(() => grpcError(code));
      await expect(sink.write([record("a", key), record("b", key)], "p")).rejects.toMatchObject({ code: "ERR_BROKER" });
    }
  });

  it("creates a topic that went missing, when it may", async () => {
    let missing = true;
    const provide = async (): Promise<void> => void (missing = false);
    const { service, sink } = setUp(() => (missing ? grpcError(5) : undefined), { createTopics: true }, provide);
    await sink.write([record("a"), record("b", "key")], "p");
    expect(service.log.toSorted()).toEqual(["a", "b"]);
  });

  it("gives a record up when its time is over", async () => {
    const { sink } = setUp(() => grpcError(14), { deliveryTimeoutMs: 150 });
    await expect(sink.write([record("a")], "p")).rejects.toMatchObject({ code: "ERR_PUBLISH", retryable: true });
  });

  it("bounds what is on its way", async () => {
    const { service, sink } = setUp(() => undefined, { maxOutstandingBytes: 600 });
    const values = ["a", "b", "c", "d", "e"];
    await sink.write(
      values.map((value) => record(value)),
      "p",
    );
    expect(service.log).toEqual(values);
    expect(service.calls).toBeGreaterThanOrEqual(3);
  });

  it("writes nothing of a call with a record that can't be encoded", async () => {
    const { service, sink } = setUp(() => undefined, { maxRecordBytes: 50 });
    await expect(sink.write([record("a"), record("x".repeat(60))], "p")).rejects.toMatchObject({ code: "ERR_PUBLISH" });
    await sink.close();
    expect(service.log).toEqual([]);
  });

  it("rejects what is not written when it closes", async () => {
    const { sink } = setUp(() => grpcError(14));
    const answer = expect(sink.write([record("a")], "p")).rejects.toMatchObject({ code: "ERR_STOPPED" });
    await new Promise((resolve) => setTimeout(resolve, 20));
    await sink.close();
    await answer;
    await expect(sink.write([record("b")], "p")).rejects.toMatchObject({ code: "ERR_STOPPED" });
  });
});
