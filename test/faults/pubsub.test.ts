import { randomUUID } from "node:crypto";
import { PubSub } from "@google-cloud/pubsub";
import { silentLogger, StreamsApp, StreamsBuilder, stringSerde, type BrokerSession, type Delivery } from "millrace";
import { pubsubBroker } from "millrace/pubsub";
import { asyncScheduler } from "rxjs";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { startPubSubEmulator, type PubSubEmulator } from "../../scripts/brokers/pubsub.ts";
import { report } from "./ledger.ts";
import { until } from "../../scripts/brokers/until.ts";

const projectId = "faults";

// Skipped where Kafka is: both come from the same scripts.
describe.skipIf(inject("kafka") === undefined)("Pub/Sub", () => {
  let emulator: PubSubEmulator;
  let client: PubSub;

  function connect(): PubSub {
    return new PubSub({ projectId, apiEndpoint: emulator.host, emulatorMode: true });
  }

  beforeAll(async () => {
    emulator = await startPubSubEmulator();
    client = connect();
  });
  afterAll(async () => {
    await client.close();
    await emulator.stop();
  });

  function open(topic: string, groupId: string, maxInFlight: number): Promise<BrokerSession> {
    return pubsubBroker({ projectId, emulatorHost: emulator.host, createTopics: true, minBackoffMs: 50 }).open({
      groupId,
      maxInFlight,
      processingGuarantee: "at_least_once",
      commitIntervalMs: 100,
      autoOffsetReset: {},
      topics: [topic],
      scheduler: asyncScheduler,
      logger: silentLogger,
    });
  }

  async function subscribed(topic: string, groupId: string): Promise<void> {
    await until(
      async () => {
        const [exists] = await client.subscription(`${topic}-${groupId}`).exists();
        return exists;
      },
      { what: "the subscription", ms: 30_000, everyMs: 100 },
    );
  }

  async function publish(topic: string, from: number, count: number): Promise<string[]> {
    const values = Array.from({ length: count }, (_, index) => String(from + index));
    await Promise.all(values.map((value) => client.topic(topic).publishMessage({ data: Buffer.from(value) })));
    return values;
  }

  // Red without the re-creation after NOT_FOUND in src/brokers/pubsub: the stream is closed for ever.
  test("the emulator is killed and comes back with nothing", async () => {
    const input = `in-${randomUUID()}`;
    const groupId = `group-${randomUUID()}`;
    const seen = new Set<string>();
    const builder = new StreamsBuilder();
    builder.stream(input, { value: stringSerde }).foreach((value) => {
      seen.add(value);
    });
    const app = new StreamsApp(builder.build(), {
      applicationId: groupId,
      broker: pubsubBroker({ projectId, emulatorHost: emulator.host, createTopics: true }),
      errors: { uncaught: () => "RETRY" },
    });
    await app.start();
    await subscribed(input, groupId);
    const before = await publish(input, 0, 200);
    await until(() => Promise.resolve(before.every((value) => seen.has(value))), {
      what: "the first ones",
      ms: 30_000,
    });
    await emulator.kill("SIGKILL");
    await emulator.restart();
    await client.close();
    client = connect();
    await subscribed(input, groupId);
    const after = await publish(input, 200, 200);
    await until(() => Promise.resolve(after.every((value) => seen.has(value))), {
      what: () => `the others: ${seen.size}`,
      ms: 30_000,
    });
    report(
      "Pub/Sub killed and re-created",
      { kills: 1 },
      { sent: 400, lost: 400 - seen.size, restarts: app.metrics.restarts },
    );
    expect(seen.size).toBe(400);
    await app.close({ drainMs: 3_000 });
  });

  // Red without the backoff of src/brokers/pubsub/delivery.ts `nack` (a hot loop), or with an ack in its place.
  test("a storm of nacks", async () => {
    const topic = `topic-${randomUUID()}`;
    const groupId = `group-${randomUUID()}`;
    const session = await open(topic, groupId, 50);
    const tries = new Map<string, number>();
    const done = new Set<string>();
    let nacks = 0;
    let outstanding = 0;
    let most = 0;
    const reading = session.deliveries([topic]).subscribe((delivery) => {
      const value = valueOf(delivery);
      const count = (tries.get(value) ?? 0) + 1;
      tries.set(value, count);
      outstanding += 1;
      most = Math.max(most, outstanding);
      setTimeout(() => {
        outstanding -= 1;
        if (count <= 2) {
          nacks += 1;
          delivery.nack(new Error("not yet"));
        } else {
          done.add(value);
          delivery.ack();
        }
      }, Math.random() * 5);
    });
    await subscribed(topic, groupId);
    const sent = await publish(topic, 0, 200);
    await until(() => done.size === sent.length, { what: () => `all: ${done.size}`, ms: 60_000 });
    report("Pub/Sub nack storm", { nacks }, { sent: sent.length, lost: sent.length - done.size, most });
    expect(nacks).toBeGreaterThanOrEqual(400);
    expect(most).toBeLessThanOrEqual(50);
    reading.unsubscribe();
    await session.close();
  });

  // Red without the nack of what is unsettled at the close in src/brokers/pubsub/session.ts.
  test("a close with deliveries in hand", async () => {
    const topic = `topic-${randomUUID()}`;
    const groupId = `group-${randomUUID()}`;
    const first = await open(topic, groupId, 100);
    const inHand: Delivery[] = [];
    first.deliveries([topic]).subscribe((delivery) => inHand.push(delivery));
    await subscribed(topic, groupId);
    const sent = await publish(topic, 0, 100);
    await until(() => inHand.length === 100, { what: "all in hand", ms: 30_000 });
    const acked = new Set(inHand.slice(0, 50).map(valueOf));
    for (const delivery of inHand.slice(0, 50)) delivery.ack();
    await first.drain(200);
    await first.close();
    const second = await open(topic, groupId, 100);
    const again = new Set<string>();
    const reading = second.deliveries([topic]).subscribe((delivery) => {
      again.add(valueOf(delivery));
      delivery.ack();
    });
    const missing = (): number => sent.filter((value) => !acked.has(value) && !again.has(value)).length;
    await until(() => missing() === 0, { what: () => `the rest: ${missing()} missing`, ms: 60_000 });
    report(
      "Pub/Sub closed with deliveries in hand",
      { dropped: 50 },
      { sent: sent.length, lost: missing(), twice: [...again].filter((value) => acked.has(value)).length },
    );
    expect(missing()).toBe(0);
    reading.unsubscribe();
    await second.close();
  });
});

function valueOf({ record }: Delivery): string {
  return new TextDecoder().decode(record.value ?? new Uint8Array());
}
