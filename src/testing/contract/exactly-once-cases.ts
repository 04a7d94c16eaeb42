import assert from "node:assert/strict";
import type { Delivery } from "../../core/broker.ts";
import type { ContractCase } from "./contract-case.ts";
import type { BrokerHarness } from "./harness.ts";
import { out, publish, Reader, valueOf, valuesOf } from "./reader.ts";

const needs = ["exactlyOnce", "partitions", "replay"] as const;
const exactlyOnce = { processingGuarantee: "exactly_once" } as const;

/** Results and offsets in one transaction. */
export const exactlyOnceCases: readonly ContractCase[] = [
  {
    name: "shows results of an exactly-once session with the ack, and not before",
    needs,
    async run(harness) {
      const { from, to, results } = await stage(harness, ["a"]);
      const worker = await Reader.open(harness, [from], exactlyOnce);
      const [delivery] = await worker.first(1);
      assert.ok(delivery);
      await publish(delivery, [out(to, "A1"), out(to, "A2")]);
      await results.quiet();
      assert.deepEqual(valuesOf(results.deliveries), []);
      delivery.ack();
      assert.deepEqual(valuesOf(await results.first(2)), ["A1", "A2"]);
    },
  },
  {
    name: "commits results in the order of their causes, with those causes: an earlier record that is open holds all later ones back",
    needs,
    async run(harness) {
      const { from, to, results } = await stage(harness, ["a", "b", "c"]);
      const worker = await Reader.open(harness, [from], exactlyOnce);
      const deliveries = await worker.first(3);
      for (const delivery of deliveries.toReversed())
        await publish(delivery, [out(to, valueOf(delivery).toUpperCase())]);
      for (const delivery of deliveries.slice(1)) delivery.ack();
      await results.quiet();
      assert.deepEqual(valuesOf(results.deliveries), []);
      deliveries[0]?.ack();
      assert.deepEqual(valuesOf(await results.first(3)), ["A", "B", "C"]);
    },
  },
  {
    name: "drops the results of a record that is given back, or whose session ends; the next handing out writes them once",
    needs,
    async run(harness) {
      const { from, to, results } = await stage(harness, ["a", "b"]);
      const first = await Reader.open(harness, [from], exactlyOnce);
      const late: Delivery[] = [];
      for (const delivery of await first.first(2)) {
        await publish(delivery, [out(to, `${valueOf(delivery)} of the first attempt`)]);
        if (valueOf(delivery) === "a") delivery.nack("again");
        else late.push(delivery);
      }
      const [, , again] = await first.first(3);
      assert.ok(again);
      await publish(again, [out(to, "a of the second attempt")]);
      await first.session.close();
      again.ack(); // too late
      for (const delivery of late) delivery.ack(); // too late
      const second = await Reader.open(harness, [from], exactlyOnce);
      for (const delivery of await second.first(2)) {
        await publish(delivery, [out(to, `${valueOf(delivery)} at last`)]);
        delivery.ack();
      }
      assert.deepEqual(valuesOf(await results.first(2)), ["a at last", "b at last"]);
      await results.quiet();
      assert.equal(results.deliveries.length, 2);
    },
  },
];

/** A topic with records, a topic for results, and a reader of those in a group of its own. */
async function stage(
  harness: BrokerHarness,
  values: readonly string[],
): Promise<{ readonly from: string; readonly to: string; readonly results: Reader }> {
  const [from, to] = [await harness.topic(), await harness.topic()];
  const results = await Reader.open(harness, [to], { groupId: `${harness.groupId}-results` });
  await results.session.publish(values.map((value) => out(from, value)));
  return { from, to, results };
}
