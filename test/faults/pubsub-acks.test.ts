import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { silentLogger, type Delivery, type Logger } from "millrace";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { until } from "../../scripts/brokers/until.ts";
import { report } from "./ledger.ts";
import { PubSubService, valueOf } from "./pubsub-service.ts";

/** The time to ack that a subscription gives where nothing else is said, milliseconds. */
const ackDeadlineMs = 10_000;

// Side by side: what takes long here is waiting for deadlines.
describe.skipIf(inject("kafka") === undefined).concurrent("acks of Pub/Sub", () => {
  let service: PubSubService;
  beforeAll(async () => {
    service = await PubSubService.start();
  });
  afterAll(() => service.stop());

  /** A logger that keeps what is said of acks that failed. */
  function ackFailures(): { readonly failures: string[]; readonly logger: Logger } {
    const failures: string[] = [];
    const warn = (_fields: object, message?: string): void => {
      if (message?.includes("the ack of") === true) failures.push(message);
    };
    return { failures, logger: { ...silentLogger, warn } };
  }

  // Red with a `maxExtensionTime` of one second in src/brokers/pubsub/pull.ts `subscriptionOptions`: the other member gets records too.
  test("handlers that outlive the ack deadline twice", async () => {
    const topic = `topic-${randomUUID()}`;
    const groupId = `group-${randomUUID()}`;
    const handed: string[] = [];
    const done = new Set<string>();
    let outlived = 0;
    // Of two members: one alone would know again what comes twice.
    const sessions = await Promise.all([service.open({ topic, groupId }), service.open({ topic, groupId })]);
    for (const session of sessions) {
      session.deliveries([topic]).subscribe((delivery) => {
        handed.push(valueOf(delivery));
        const began = performance.now();
        void sleep(25_000).then(() => {
          if (performance.now() - began > 2 * ackDeadlineMs) outlived += 1;
          done.add(valueOf(delivery));
          delivery.ack();
        });
      });
    }
    const sent = await service.publish(topic, 0, 50);
    await until(() => done.size === sent.length, { what: () => `all: ${done.size}` });
    report("Pub/Sub slow handlers", { outlived }, { sent: sent.length, duplicated: handed.length - sent.length });
    expect(outlived).toBe(sent.length);
    expect(handed.toSorted()).toEqual(sent.toSorted());
    await Promise.all(sessions.map((session) => session.close()));
  });

  // Red without the `throw` of src/brokers/pubsub/intake.ts `acknowledge`: what was refused counts as committed, and nobody is told.
  test("an ack after its lease has ended, which exactly-once delivery refuses", async () => {
    const topic = `topic-${randomUUID()}`;
    const groupId = `group-${randomUUID()}`;
    const { failures, logger } = ackFailures();
    // With one place, the record does not come again before its ack is refused.
    const session = await service.open({ topic, groupId, maxInFlight: 1, logger }, { exactlyOnceDelivery: true });
    const committed: string[] = [];
    session.committed.subscribe((position) => committed.push(position));
    const handed: Delivery[] = [];
    const reading = session.deliveries([topic]).subscribe((delivery) => handed.push(delivery));
    const sent = await service.publish(topic, 0, 1);
    await until(() => handed.length === 1, { what: "the record" });
    const delivery = handed[0]!;
    await service.expire(topic, groupId, delivery);
    delivery.ack();
    await until(() => failures.length > 0, { what: "the refusal" });
    expect(committed).toEqual([]);
    await until(() => committed.length > 0, { what: "the ack of the record that came again" });
    report(
      "Pub/Sub ack after its lease",
      { refused: failures.length },
      { sent: sent.length, handed: handed.length, committed: committed.length },
    );
    expect(committed).toEqual([delivery.position]);
    expect(handed.length).toBe(1);
    reading.unsubscribe();
    await session.close();
  });

  // Red with a `throw` in the handler of errors of src/brokers/pubsub/intake.ts `confirm`: an unhandled rejection.
  test("acks to a subscription that was deleted", async () => {
    const topic = `topic-${randomUUID()}`;
    const groupId = `group-${randomUUID()}`;
    const { failures, logger } = ackFailures();
    const session = await service.open({ topic, groupId, maxInFlight: 20, logger }, { exactlyOnceDelivery: true });
    const committed = new Set<string>();
    session.committed.subscribe((position) => committed.add(position));
    const inHand: Delivery[] = [];
    const done = new Set<string>();
    let deleted = false;
    const reading = session.deliveries([topic]).subscribe((delivery) => {
      if (!deleted) inHand.push(delivery);
      else {
        done.add(valueOf(delivery));
        delivery.ack();
      }
    });
    const before = await service.publish(topic, 0, 20);
    await until(() => inHand.length === before.length, { what: "all in hand" });
    deleted = true;
    await service.deleteSubscription(topic, groupId);
    for (const delivery of inHand) delivery.ack();
    await until(() => failures.length === inHand.length, { what: () => `refusals: ${failures.length}` });
    expect([...committed]).toEqual([]);
    await service.subscribed(topic, groupId);
    const after = await service.publish(topic, 20, 20);
    await until(() => after.every((value) => done.has(value)), { what: () => `what follows: ${done.size}` });
    report("Pub/Sub acks to a deleted subscription", { refused: failures.length }, { sent: after.length });
    reading.unsubscribe();
    await session.close();
  });
});
