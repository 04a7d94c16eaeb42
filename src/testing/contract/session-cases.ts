import assert from "node:assert/strict";
import { firstValueFrom } from "rxjs";
import type { ContractCase } from "./contract-case.ts";
import { out, Reader, unsettled, valueOf, valuesOf } from "./reader.ts";

const stopped = { code: "ERR_STOPPED", retryable: false };

/** How sessions begin and end. */
export const sessionCases: readonly ContractCase[] = [
  {
    name: "opens, closes twice, and opens again",
    async run(harness) {
      const topic = await harness.topic();
      for (let round = 0; round < 2; round += 1) {
        const session = await harness.session({ topics: [topic] });
        await session.close();
        await session.close();
      }
      const reader = await Reader.open(harness, [topic]);
      await reader.session.publish([out(topic, "a")]);
      assert.deepEqual(valuesOf(await reader.first(1)), ["a"]);
      await reader.session.close();
      await reader.session.close();
      assert.equal(reader.error, undefined);
    },
  },
  {
    name: "answers ERR_STOPPED after close",
    async run(harness) {
      const topic = await harness.topic();
      const session = await harness.session({ topics: [topic] });
      await session.close();
      await assert.rejects(session.publish([out(topic, "a")]), stopped);
      await assert.rejects(firstValueFrom(session.deliveries([topic])), stopped);
    },
  },
  {
    name: "gives deliveries to one subscriber",
    async run(harness) {
      const topic = await harness.topic();
      const reader = await Reader.open(harness, [topic]);
      await assert.rejects(firstValueFrom(reader.session.deliveries([topic])), stopped);
      await reader.session.publish([out(topic, "a")]);
      assert.deepEqual(valuesOf(await reader.first(1)), ["a"]);
    },
  },
  {
    name: "drains: hands out nothing more, waits for what is out, and reports how it ended",
    async run(harness) {
      const topic = await harness.topic();
      const reader = await Reader.open(harness, [topic], { maxInFlight: 4 });
      await reader.session.publish(["acked", "nacked", "stuck", "waiting", "more"].map((value) => out(topic, value)));
      const deliveries = await reader.first(4);
      deliveries[3]?.nack("again");
      const drained = reader.session.drain(harness.quietMs);
      deliveries[0]?.ack();
      deliveries[1]?.nack("stopping");
      assert.deepEqual(await drained, { settled: 1, released: 2, abandoned: 1 });
      await reader.until(() => reader.completed, "the end of the deliveries");
      assert.equal(reader.deliveries.length, 4);
      await reader.session.close();
      const again = await unsettled(harness, topic, 4);
      assert.deepEqual(again.toSorted(), ["more", "nacked", "stuck", "waiting"]);
    },
  },
  {
    name: "counts as settled in a drain what does not come again, and nothing else",
    needs: ["partitions"],
    async run(harness) {
      const topic = await harness.topic();
      const reader = await Reader.open(harness, [topic]);
      await reader.session.publish(["first", "stuck", "behind", "last"].map((value) => out(topic, value)));
      const deliveries = await reader.first(4);
      deliveries[3]?.ack();
      await reader.quiet(); // done before: it is none of those that the drain counts
      const drained = reader.session.drain(harness.quietMs);
      deliveries[0]?.ack();
      deliveries[2]?.ack();
      const { settled, ...rest } = await drained;
      await reader.session.close();
      const again = (await unsettled(harness, topic, 1)).filter((value) => value !== "last");
      assert.equal(settled, 3 - again.length);
      assert.deepEqual(rest, { released: 0, abandoned: again.length });
    },
  },
  {
    name: "drains at once when nothing is out, and commits what was acked just before",
    async run(harness) {
      const topic = await harness.topic();
      const reader = await Reader.open(harness, [topic]);
      await reader.session.publish([out(topic, "a")]);
      (await reader.first(1))[0]?.ack();
      assert.equal((await reader.session.drain(harness.deadlineMs)).abandoned, 0);
      await reader.session.close();
      const next = await Reader.open(harness, [topic]);
      await next.session.publish([out(topic, "b")]);
      assert.deepEqual(valuesOf(await next.first(1)), ["b"]);
    },
  },
  {
    name: "drops what is out when it is unsubscribed, and the next session gets it",
    async run(harness) {
      const topic = await harness.topic();
      const reader = await Reader.open(harness, [topic]);
      await reader.session.publish([out(topic, "a"), out(topic, "b")]);
      const deliveries = await reader.first(2);
      reader.unsubscribe();
      for (const { lane } of deliveries) assert.equal(lane?.signal.aborted ?? true, true);
      for (const delivery of deliveries) delivery.ack(); // too late
      await reader.session.close();
      assert.deepEqual((await unsettled(harness, topic, 2)).toSorted(), ["a", "b"]);
    },
  },
  {
    name: "aborts the lanes of what is out when it closes, and the next session gets it",
    async run(harness) {
      const topic = await harness.topic();
      const reader = await Reader.open(harness, [topic]);
      await reader.session.publish([out(topic, "a")]);
      const [delivery] = await reader.first(1);
      await reader.session.close();
      assert.equal(delivery?.lane?.signal.aborted ?? true, true);
      delivery?.ack(); // too late
      assert.deepEqual(await unsettled(harness, topic, 1), ["a"]);
    },
  },
  {
    name: "begins where its group has ended, and where autoOffsetReset says the first time",
    needs: ["replay"],
    async run(harness) {
      const topic = await harness.topic();
      const writer = await harness.session({ topics: [topic] });
      await writer.publish([out(topic, "old")]);
      const groupId = `${harness.groupId}-latest`;
      const options = { groupId, autoOffsetReset: { [topic]: "latest" } } as const;
      const first = await Reader.open(harness, [topic], options);
      await first.quiet();
      assert.deepEqual(valuesOf(first.deliveries), []);
      await first.session.close();
      await writer.publish([out(topic, "while nobody read")]);
      const second = await Reader.open(harness, [topic], options);
      assert.deepEqual(valuesOf(await second.first(1)), ["while nobody read"]);
      const all = await Reader.open(harness, [topic], { groupId: `${harness.groupId}-earliest` });
      assert.deepEqual(valuesOf(await all.first(2)), ["old", "while nobody read"]);
    },
  },
  {
    name: "keeps groups apart: each gets every record",
    needs: ["replay"],
    async run(harness) {
      const topic = await harness.topic();
      const one = await Reader.open(harness, [topic], { act: (delivery) => delivery.ack() });
      const two = await Reader.open(harness, [topic], { groupId: `${harness.groupId}-two` });
      await one.session.publish([out(topic, "a"), out(topic, "b")]);
      assert.deepEqual(valuesOf(await one.first(2)), ["a", "b"]);
      assert.deepEqual(valuesOf(await two.first(2)), ["a", "b"]);
    },
  },
  {
    name: "answers a broken connection with ERR_BROKER, retryable, and loses nothing",
    needs: ["disconnect"],
    async run(harness) {
      const topic = await harness.topic();
      const reader = await Reader.open(harness, [topic]);
      await reader.session.publish([out(topic, "a"), out(topic, "b")]);
      const deliveries = await reader.first(2);
      for (const delivery of deliveries) if (valueOf(delivery) === "a") delivery.ack();
      await reader.quiet();
      await harness.disconnect();
      await reader.until(() => reader.error !== undefined, "the session's error");
      assert.deepEqual(
        { code: "ERR_BROKER", retryable: true, broker: harness.broker.name },
        pick(reader.error, ["code", "retryable", "broker"]),
      );
      for (const delivery of deliveries) delivery.ack(); // too late
      await reader.session.close();
      assert.deepEqual(await unsettled(harness, topic, 1), ["b"]);
    },
  },
];

function pick(value: unknown, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, (value as Record<string, unknown>)[name]]));
}
