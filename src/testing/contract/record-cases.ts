import assert from "node:assert/strict";
import type { Headers, OutgoingRecord, RawRecord } from "../../core/record.ts";
import type { ContractCase } from "./contract-case.ts";
import type { BrokerHarness } from "./harness.ts";
import { bytes, out, publish, Reader, valuesOf } from "./reader.ts";

/** Bytes that are not UTF-8. */
const binary = new Uint8Array([0, 255, 128, 10, 13, 0xc3, 0x28]);

/** What records carry from one end to the other. */
export const recordCases: readonly ContractCase[] = [
  {
    name: "carries key, value, headers and timestamp, whatever their bytes",
    async run(harness) {
      const headers: Headers = [
        ["text", bytes("påtext")],
        ["binary", binary],
      ];
      const read = await roundTrip(harness, {
        key: binary,
        value: binary,
        headers,
        timestamp: Date.UTC(2026, 5, 1, 12, 30),
      });
      assert.deepEqual(plain(read.key), plain(binary));
      assert.deepEqual(plain(read.value), plain(binary));
      assert.deepEqual(
        theirs(read.headers, headers),
        headers.map(([name, value]) => [name, plain(value)]),
      );
      assert.equal(read.timestamp, Date.UTC(2026, 5, 1, 12, 30));
    },
  },
  {
    name: "carries what is empty: key, value and a header; and no key is not an empty key",
    async run(harness) {
      const headers: Headers = [["empty", new Uint8Array()]];
      const read = await roundTrip(harness, { key: new Uint8Array(), value: new Uint8Array(), headers });
      assert.deepEqual(plain(read.key), []);
      assert.deepEqual(plain(read.value), []);
      assert.deepEqual(theirs(read.headers, headers), [["empty", []]]);
      assert.equal((await roundTrip(harness, { key: null, value: bytes("a") })).key, null);
    },
  },
  {
    name: "carries a null value",
    needs: ["nullValues"],
    async run(harness) {
      const read = await roundTrip(harness, { key: bytes("key"), value: null });
      assert.equal(read.value, null);
      assert.deepEqual(plain(read.key), plain(bytes("key")));
    },
  },
  {
    name: "carries headers of one name, in order",
    needs: ["repeatedHeaders"],
    async run(harness) {
      const headers: Headers = [
        ["a", bytes("1")],
        ["b", bytes("2")],
        ["a", bytes("3")],
        ["a", bytes("1")],
      ];
      const read = await roundTrip(harness, { value: bytes("value"), headers });
      assert.deepEqual(
        theirs(read.headers, headers),
        headers.map(([name, value]) => [name, plain(value)]),
      );
    },
  },
  {
    name: "gives each record a position of its own, which begins with the driver's name",
    async run(harness) {
      const topic = await harness.topic();
      const reader = await Reader.open(harness, [topic]);
      await reader.session.publish([out(topic, "a"), out(topic, "b")]);
      const deliveries = await reader.first(2);
      assert.equal(new Set(deliveries.map(({ position }) => position)).size, 2);
      for (const { position, origin, record, attempt } of deliveries) {
        assert.ok(position.startsWith(`${harness.broker.name}:`), position);
        assert.deepEqual({ topic: origin.topic, position: origin.position }, { topic, position });
        assert.equal(record.topic, topic);
        assert.equal(attempt, 1);
      }
    },
  },
  {
    name: "reads several topics in one session",
    async run(harness) {
      const topics = [await harness.topic(), await harness.topic()];
      const reader = await Reader.open(harness, topics);
      await reader.session.publish(topics.map((topic) => out(topic, topic)));
      const deliveries = await reader.first(2);
      assert.deepEqual(valuesOf(deliveries).toSorted(), topics.toSorted());
      for (const { record } of deliveries) assert.deepEqual(plain(record.value), plain(bytes(record.topic)));
    },
  },
  {
    name: "puts a record into the partition that was asked for, by number or by function",
    needs: ["partitions"],
    async run(harness) {
      const topic = await harness.topic(3);
      const reader = await Reader.open(harness, [topic]);
      await reader.session.publish([
        out(topic, "by number", { partition: 1 }),
        out(topic, "by function", { partition: (partitions) => partitions - 1 }),
      ]);
      const partitions = Object.fromEntries(
        (await reader.first(2)).map(({ record }) => [bytesText(record), record.partition]),
      );
      assert.deepEqual(partitions, { "by number": 1, "by function": 2 });
    },
  },
  {
    name: "refuses a partition that does not exist",
    needs: ["partitions"],
    async run(harness) {
      const topic = await harness.topic(2);
      const session = await harness.session({ topics: [topic] });
      await assert.rejects(session.publish([out(topic, "a", { partition: 2 })]), {
        code: "ERR_PUBLISH",
        retryable: false,
      });
    },
  },
  {
    name: "refuses a record that is too large with ERR_PUBLISH, not retryable, and goes on",
    async run(harness) {
      const topic = await harness.topic();
      const large = out(topic, "", { value: new Uint8Array(harness.broker.capabilities.maxRecordBytes + 1) });
      const refused = { code: "ERR_PUBLISH", retryable: false };
      const reader = await Reader.open(harness, [topic]);
      await assert.rejects(reader.session.publish([large]), refused);
      await reader.session.publish([out(topic, "a")]);
      const [delivery] = await reader.first(1);
      assert.ok(delivery);
      await assert.rejects(publish(delivery, [large]), { ...refused, position: delivery.position });
      await publish(delivery, [out(topic, "b")]);
      delivery.ack();
      assert.deepEqual(valuesOf(await reader.first(2)), ["a", "b"]);
    },
  },
];

async function roundTrip(harness: BrokerHarness, given: Partial<OutgoingRecord>): Promise<RawRecord> {
  const topic = await harness.topic();
  const reader = await Reader.open(harness, [topic]);
  await reader.session.publish([out(topic, "", given)]);
  const [delivery] = await reader.first(1);
  assert.ok(delivery);
  const { record } = delivery;
  await reader.session.close();
  return record;
}

/** As numbers: a driver may give any kind of Uint8Array. */
function plain(value: Uint8Array | null): number[] | null {
  return value === null ? null : [...value];
}

/** The headers that were written; a driver may add its own. */
function theirs(headers: Headers, written: Headers): [string, number[]][] {
  const names = new Set(written.map(([name]) => name));
  return headers.flatMap(([name, value]) => (names.has(name) ? [[name, [...value]] as [string, number[]]] : []));
}

function bytesText(record: RawRecord): string {
  return valuesOf([{ record }])[0] ?? "";
}
