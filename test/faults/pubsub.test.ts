import { randomUUID } from "node:crypto";
import { StreamsApp, StreamsBuilder, stringSerde, type Delivery } from "millrace";
import { pubsubBroker } from "millrace/pubsub";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { until } from "../../scripts/brokers/until.ts";
import { report } from "./ledger.ts";
import { projectId, PubSubService, valueOf } from "./pubsub-service.ts";

// Skipped where Kafka is: both come from the same scripts.
describe.skipIf(inject("kafka") === undefined)("Pub/Sub", () => {
  let service: PubSubService;
  beforeAll(async () => {
    service = await PubSubService.start();
  });
  afterAll(() => service.stop());

  // Red without `this.again()` in src/brokers/pubsub/pull.ts `reopen`: the stream is closed for ever, and the subscription is not made again.
  test("the emulator is killed and comes back with nothing", async () => {
    const input = `in-${randomUUID()}`;
    const groupId = `group-${randomUUID()}`;
    const seen = new Set<string>();
    const { emulator } = service;
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
    await service.subscribed(input, groupId);
    const before = await service.publish(input, 0, 200);
    await until(() => before.every((value) => seen.has(value)), { what: "the first ones", ms: 30_000 });
    const lives = new Set([emulator.pid]);
    await emulator.kill("SIGKILL");
    await emulator.restart();
    lives.add(emulator.pid);
    await service.reconnect();
    await service.subscribed(input, groupId);
    const after = await service.publish(input, 200, 200);
    await until(() => after.every((value) => seen.has(value)), { what: () => `the others: ${seen.size}`, ms: 30_000 });
    const sent = before.length + after.length;
    const kills = lives.size - 1;
    report(
      "Pub/Sub killed and re-created",
      { kills },
      { sent, lost: sent - seen.size, restarts: app.metrics.restarts },
    );
    expect(kills).toBe(1);
    expect(seen.size).toBe(sent);
    await app.close({ drainMs: 3_000 });
  });

  // Red without the backoff of src/brokers/pubsub/session.ts `later` (a hot loop), or with an ack in place of src/brokers/pubsub/intake.ts `nack`.
  test("a storm of nacks", async () => {
    const topic = `topic-${randomUUID()}`;
    const groupId = `group-${randomUUID()}`;
    const session = await service.open({ topic, groupId, maxInFlight: 50 });
    const tries = new Map<string, number>();
    const givenBackAt = new Map<string, number>();
    const done = new Set<string>();
    let nacks = 0;
    let early = 0;
    let outstanding = 0;
    let most = 0;
    const reading = session.deliveries([topic]).subscribe((delivery) => {
      const value = valueOf(delivery);
      const count = (tries.get(value) ?? 0) + 1;
      tries.set(value, count);
      // Timers of Node may be a millisecond early.
      if (performance.now() - (givenBackAt.get(value) ?? -Infinity) < 48) early += 1;
      outstanding += 1;
      most = Math.max(most, outstanding);
      setTimeout(() => {
        outstanding -= 1;
        if (count <= 2) {
          nacks += 1;
          givenBackAt.set(value, performance.now());
          delivery.nack(new Error("not yet"));
        } else {
          done.add(value);
          delivery.ack();
        }
      }, Math.random() * 5);
    });
    const sent = await service.publish(topic, 0, 200);
    await until(() => done.size === sent.length, { what: () => `all: ${done.size}`, ms: 60_000 });
    report("Pub/Sub nack storm", { nacks }, { sent: sent.length, lost: sent.length - done.size, most, early });
    expect(nacks).toBe(2 * sent.length);
    expect(most).toBeLessThanOrEqual(50);
    expect(early).toBe(0);
    reading.unsubscribe();
    await session.close();
  });

  // Red with an ack in place of the nack in src/brokers/pubsub/intake.ts `giveBack`: what was not acked is lost.
  test("a close with deliveries in hand", async () => {
    const topic = `topic-${randomUUID()}`;
    const groupId = `group-${randomUUID()}`;
    const first = await service.open({ topic, groupId });
    const inHand: Delivery[] = [];
    first.deliveries([topic]).subscribe((delivery) => inHand.push(delivery));
    const sent = await service.publish(topic, 0, 100);
    await until(() => inHand.length === 100, { what: "all in hand", ms: 30_000 });
    const acked = new Set(inHand.slice(0, 50).map(valueOf));
    for (const delivery of inHand.slice(0, 50)) delivery.ack();
    await first.close();
    const dropped = inHand.filter((delivery) => !acked.has(valueOf(delivery))).length;
    const second = await service.open({ topic, groupId });
    const again = new Set<string>();
    const reading = second.deliveries([topic]).subscribe((delivery) => {
      again.add(valueOf(delivery));
      delivery.ack();
    });
    const missing = (): number => sent.filter((value) => !acked.has(value) && !again.has(value)).length;
    await until(() => missing() === 0, { what: () => `the rest: ${missing()} missing`, ms: 60_000 });
    const twice = [...again].filter((value) => acked.has(value)).length;
    report("Pub/Sub closed with deliveries in hand", { dropped }, { sent: sent.length, lost: missing(), twice });
    expect(dropped).toBe(50);
    expect(twice).toBe(0);
    reading.unsubscribe();
    await second.close();
  });
});
