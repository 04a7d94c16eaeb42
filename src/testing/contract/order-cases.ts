import assert from "node:assert/strict";
import type { Delivery } from "../../core/broker.ts";
import type { ContractCase } from "./contract-case.ts";
import { bytes, out, publish, Reader, valueOf, valuesOf } from "./reader.ts";

const count = 60;
const numbers = Array.from({ length: count }, (_, index) => index);

/** In what order records are handed out and written, and who gets them. */
export const orderCases: readonly ContractCase[] = [
  {
    name: "hands out the records of a partition in order, and of one lane",
    needs: ["partitions"],
    async run(harness) {
      const topic = await harness.topic(3);
      const reader = await Reader.open(harness, [topic], {
        maxInFlight: 7,
        act: (delivery) => setImmediate(() => delivery.ack()),
      });
      await reader.session.publish(numbers.map((number) => out(topic, String(number), { partition: number % 3 })));
      const deliveries = await reader.first(count);
      for (const partition of [0, 1, 2]) {
        const ofPartition = deliveries.filter(({ record }) => record.partition === partition);
        const expected = numbers.filter((number) => number % 3 === partition).map(String);
        assert.deepEqual(valuesOf(ofPartition), expected);
        assert.equal(new Set(ofPartition.map(({ lane }) => lane)).size, 1, "one lane object per partition");
      }
      assert.equal(new Set(deliveries.map(({ lane }) => lane?.id)).size, 3);
    },
  },
  {
    name: "hands out the records of a key in order",
    needs: ["keyOrder"],
    async run(harness) {
      const topic = await harness.topic(3);
      const reader = await Reader.open(harness, [topic], {
        maxInFlight: 7,
        act: (delivery) => setImmediate(() => delivery.ack()),
      });
      const keyOf = (number: number): string => `key ${number % 5}`;
      for (const number of numbers)
        await reader.session.publish([out(topic, String(number), { key: bytes(keyOf(number)) })]);
      const deliveries = await reader.first(count);
      for (const remainder of [0, 1, 2, 3, 4]) {
        const ofKey = deliveries.filter((delivery) => Number(valueOf(delivery)) % 5 === remainder);
        assert.deepEqual(valuesOf(ofKey), numbers.filter((number) => number % 5 === remainder).map(String));
        assert.equal(new Set(ofKey.map(({ lane }) => lane)).size, 1, "one lane object per key");
      }
    },
  },
  {
    name: "writes what is published through a delivery in the order of the calls",
    needs: ["keyOrder"],
    async run(harness) {
      const [from, to] = [await harness.topic(), await harness.topic()];
      const key = bytes("key");
      const reader = await Reader.open(harness, [from, to]);
      await reader.session.publish([out(from, "cause")]);
      const [cause] = await reader.first(1);
      assert.ok(cause);
      const calls: Promise<void>[] = [];
      for (let number = 0; number < count; number += 3) {
        calls.push(
          publish(
            cause,
            [0, 1, 2].map((more) => out(to, String(number + more), { key })),
          ),
        );
      }
      await Promise.all(calls);
      cause.ack();
      assert.deepEqual(valuesOf(await reader.first(count + 1)).slice(1), numbers.map(String));
    },
  },
  {
    name: "shares partitions between the sessions of a group: lanes that move are aborted, no record is lost",
    needs: ["partitions"],
    async run(harness) {
      const topic = await harness.topic(4);
      const one = await Reader.open(harness, [topic]);
      await one.session.publish(numbers.map((number) => out(topic, String(number), { partition: number % 4 })));
      const held = await one.first(count);
      const seen: Delivery[] = [];
      const act = (delivery: Delivery): void => {
        seen.push(delivery);
        setImmediate(() => delivery.ack());
      };
      const two = await Reader.open(harness, [topic], { act });
      const moved = (): Delivery[] => held.filter(({ lane }) => lane?.signal.aborted === true);
      await two.until(
        () => moved().length > 0 && two.deliveries.length >= moved().length,
        "the records of the lanes that moved",
      );
      for (const delivery of held) {
        if (delivery.lane?.signal.aborted === false) seen.push(delivery);
        delivery.ack();
      }
      // A driver may take all lanes away in a rebalance, and give some back.
      await two.until(
        () => new Set([...valuesOf(seen), ...valuesOf(one.deliveries.slice(count))]).size === count,
        "all records",
      );
      for (const delivery of one.deliveries.slice(count)) delivery.ack();
      await Promise.all([one.session.drain(harness.deadlineMs), two.session.drain(harness.deadlineMs)]);
      await Promise.all([one.session.close(), two.session.close()]);
      const rest = await Reader.open(harness, [topic]);
      await rest.session.publish([out(topic, "end", { partition: 0 })]);
      assert.deepEqual(valuesOf(await rest.first(1)), ["end"]);
    },
  },
  {
    name: "ignores a late ack of a lane that is lost: the group does not go back",
    needs: ["partitions"],
    async run(harness) {
      const topic = await harness.topic(2);
      const one = await Reader.open(harness, [topic]);
      await one.session.publish(
        [0, 1, 2, 3, 4, 5].map((number) => out(topic, String(number), { partition: number % 2 })),
      );
      const held = await one.first(6);
      const two = await Reader.open(harness, [topic]);
      const lost = (): Delivery[] => held.filter(({ lane }) => lane?.signal.aborted === true);
      await two.until(() => lost().length > 0 && two.deliveries.length >= 3, "a partition's records");
      for (const delivery of two.deliveries) delivery.ack();
      await two.session.drain(harness.deadlineMs);
      const [late] = lost();
      late?.ack(); // the first record of a partition that others have finished
      await one.quiet();
      const finished = new Set(valuesOf(two.deliveries));
      await Promise.all([one.session.close(), two.session.close()]);
      const rest = await Reader.open(harness, [topic]);
      await rest.first(6 - finished.size);
      await rest.quiet();
      for (const value of valuesOf(rest.deliveries))
        assert.ok(!finished.has(value), `${value} was committed and came again`);
    },
  },
];
