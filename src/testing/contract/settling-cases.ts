import assert from "node:assert/strict";
import type { Position } from "../../core/record.ts";
import type { ContractCase } from "./contract-case.ts";
import { out, Reader, unsettled, valueOf, valuesOf } from "./reader.ts";

/** What acks and nacks do. */
export const settlingCases: readonly ContractCase[] = [
  {
    name: "never hands out an acked record again after reopening, and always an unsettled one",
    async run(harness) {
      const topic = await harness.topic();
      const reader = await Reader.open(harness, [topic]);
      await reader.session.publish(["a", "b", "c"].map((value) => out(topic, value)));
      for (const delivery of await reader.first(3)) if (valueOf(delivery) !== "c") delivery.ack();
      await reader.session.drain(harness.quietMs);
      await reader.session.close();
      assert.deepEqual(await unsettled(harness, topic, 1), ["c"]);
    },
  },
  {
    name: "hands out a nacked record again, as its next attempt",
    async run(harness) {
      const topic = await harness.topic();
      const reader = await Reader.open(harness, [topic]);
      await reader.session.publish([out(topic, "a")]);
      const [first] = await reader.first(1);
      first?.nack(new Error("again"));
      const [, second] = await reader.first(2);
      assert.ok(first && second);
      assert.equal(valueOf(second), "a");
      assert.equal(second.position, first.position);
      assert.equal(second.attempt, 2);
    },
  },
  {
    name: "never commits past an unsettled record, in whatever order acks come",
    async run(harness) {
      const topic = await harness.topic();
      const values = ["a", "b", "c", "d", "e", "f"];
      const reader = await Reader.open(harness, [topic]);
      await reader.session.publish(values.map((value) => out(topic, value)));
      const deliveries = await reader.first(values.length);
      for (const index of [5, 0, 3, 2, 4]) deliveries[index]?.ack();
      await reader.quiet();
      await reader.session.close();
      const again = await unsettled(harness, topic, 1);
      assert.ok(again.includes("b"), "b was never acked");
      assert.ok(!again.includes("a"), "a was acked, and nothing before it was open");
      if (!harness.lacks("partitions")) assert.deepEqual(again, ["b", "c", "d", "e", "f"]);
    },
  },
  {
    name: "ignores every settlement but the first",
    async run(harness) {
      const topic = await harness.topic();
      const reader = await Reader.open(harness, [topic]);
      await reader.session.publish([out(topic, "acked"), out(topic, "nacked")]);
      const [acked, nacked] = await reader.first(2);
      acked?.ack();
      acked?.nack("too late");
      acked?.ack();
      nacked?.nack("again");
      nacked?.ack();
      nacked?.nack("too late");
      const [, , third] = await reader.first(3);
      assert.equal(third === undefined ? "" : valueOf(third), "nacked");
      nacked?.nack("too late, although it is out again");
      nacked?.ack();
      await reader.quiet();
      assert.equal(reader.deliveries.length, 3);
      await reader.session.drain(0);
      await reader.session.close();
      assert.deepEqual(await unsettled(harness, topic, 1), ["nacked"]);
    },
  },
  {
    name: "never has more than maxInFlight out, and hands out the next when one is acked",
    async run(harness) {
      const topic = await harness.topic();
      const reader = await Reader.open(harness, [topic], { maxInFlight: 3 });
      await reader.session.publish(Array.from({ length: 10 }, (_, index) => out(topic, String(index))));
      await reader.first(3);
      for (let settled = 0; settled < 10; settled += 1) {
        await reader.first(Math.min(10, settled + 3));
        if (settled % 4 === 0) await reader.quiet();
        assert.ok(
          reader.deliveries.length <= settled + 3,
          `${reader.deliveries.length} handed out, ${settled} settled`,
        );
        reader.deliveries[settled]?.ack();
      }
      assert.equal(new Set(valuesOf(reader.deliveries)).size, 10);
    },
  },
  {
    name: "tells what is durably done, and nothing before",
    async run(harness) {
      const topic = await harness.topic();
      const committed: Position[] = [];
      const reader = await Reader.open(harness, [topic]);
      reader.session.committed.subscribe((position) => committed.push(position));
      await reader.session.publish(["a", "b", "c"].map((value) => out(topic, value)));
      const deliveries = await reader.first(3);
      await reader.quiet();
      assert.deepEqual(committed, []);
      for (const delivery of deliveries) delivery.ack();
      const last = deliveries.at(-1)?.position;
      const deadline = Date.now() + harness.deadlineMs;
      while (committed.at(-1) !== last && Date.now() < deadline) await reader.quiet();
      assert.equal(committed.at(-1), last);
      const known = new Set(deliveries.map(({ position }) => position));
      for (const position of committed) assert.ok(known.has(position), position);
    },
  },
];
