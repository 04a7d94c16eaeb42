import { silentLogger, StreamsApp, StreamsBuilder, stringSerde, type Logger } from "millrace";
import { kafkaBroker } from "millrace/kafka";
import { describe, expect, inject, test } from "vitest";
import { until } from "../../scripts/brokers/until.ts";
import { Ledger, plainKafka, report } from "./ledger.ts";

const kafka = inject("kafka");
const brokers = kafka?.brokers ?? [];

/** Comes out without a key, which a compacted topic does not take. */
const keyless = "no key:0";

interface App {
  readonly app: StreamsApp;
  /** What the driver thought of each transaction that was aborted: `poison`. */
  readonly aborts: readonly unknown[];
}

/** Copies input to output, exactly once; what can't be written is dead-lettered. */
async function startApp({ groupId, input, output }: Ledger): Promise<App> {
  const aborts: unknown[] = [];
  const builder = new StreamsBuilder();
  builder
    .stream(input, { value: stringSerde })
    .selectKey((value, record) => (value === keyless ? null : record.key))
    .to(output, { value: stringSerde });
  const warn: Logger["warn"] = (fields, message) => {
    if (message === "kafka transaction was aborted") aborts.push((fields as { readonly kind?: unknown }).kind);
  };
  const app = new StreamsApp(builder.build(), {
    applicationId: groupId,
    broker: kafkaBroker({ brokers, sessionTimeoutMs: 3_000 }),
    processingGuarantee: "exactly_once",
    errors: { publish: "DEAD_LETTER" },
    logger: { ...silentLogger, warn },
  });
  await app.start();
  return { app, aborts };
}

/** Changes a topic behind the driver's back; resolves when the broker goes by it. */
async function alter({ admin }: Ledger, topic: string, name: string, value: string): Promise<void> {
  const { ConfigResourceTypes } = await import("kafkajs");
  const resource = { type: ConfigResourceTypes.TOPIC, name: topic };
  await admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries: [{ name, value }] }] });
  const altered = async (): Promise<boolean> => {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ ...resource, configNames: [name] }],
    });
    return resources[0]?.configEntries[0]?.configValue === value;
  };
  await until(altered, { what: `${name} of ${topic}` });
}

/** Sends what the ledger does not know. */
async function sendStray(topic: string, value: string, key: string | null = "0"): Promise<void> {
  const producer = plainKafka(brokers).producer();
  await producer.connect();
  await producer.send({ topic, messages: [{ key, value, partition: 0 }] });
  await producer.disconnect();
}

/** Values of a ledger's dead letters. */
async function deadLetters(ledger: Ledger): Promise<readonly string[]> {
  const topic = `${ledger.groupId}.dlq`;
  await ledger.seal(topic);
  return (await ledger.read(topic)).map(({ value }) => value);
}

describe.skipIf(kafka === undefined)("exactly once: records that the broker refuses inside a transaction", () => {
  // Red without `catalog.refresh()` in src/brokers/kafka/transactional-commits.ts `aborted`: for ever the batches are as large as before.
  test("one that is too large is dead-lettered, all others come out once", async () => {
    const ledger = await Ledger.open(brokers, { partitions: 2 });
    const { app, aborts } = await startApp(ledger);
    await ledger.send(100);
    await ledger.allCommitted();
    // After the driver has asked for the limit; the batches that it makes are too large as well.
    await alter(ledger, ledger.output, "max.message.bytes", "2000");
    const large = `${"x".repeat(5_000)}:0`;
    await ledger.send(150);
    await sendStray(ledger.input, large);
    await ledger.send(150);
    await ledger.allCommitted();
    await app.close();
    const account = await ledger.settle();
    const dead = await deadLetters(ledger);
    report("too large in a transaction", { aborts: aborts.length }, { dead: dead.length, ...account });
    expect(aborts).toContain("poison");
    expect(dead.length).toBe(1);
    expect(dead[0] === large).toBe(true); // not printed when it fails
    expect(account).toEqual({ sent: 400, lost: 0, duplicated: 0, reordered: 0, foreign: 0 });
    await ledger.close();
  });

  // Red without `findRefused` in src/brokers/kafka/transactional-commits.ts `aborted`: nothing but the broker knows which one it is.
  test("one that only the broker can tell is found among the others and dead-lettered", async () => {
    const ledger = await Ledger.open(brokers, { partitions: 2 });
    const { app, aborts } = await startApp(ledger);
    await ledger.send(100);
    await ledger.allCommitted();
    await alter(ledger, ledger.output, "cleanup.policy", "compact");
    await ledger.send(50);
    await sendStray(ledger.input, keyless);
    await ledger.send(50);
    await ledger.allCommitted();
    await app.close();
    await alter(ledger, ledger.output, "cleanup.policy", "delete"); // the seal has no key
    const account = await ledger.settle();
    const dead = await deadLetters(ledger);
    report("no key in a transaction", { aborts: aborts.length }, { dead, ...account });
    expect(aborts).toContain("poison");
    expect(dead).toEqual([keyless]);
    expect(account).toEqual({ sent: 200, lost: 0, duplicated: 0, reordered: 0, foreign: 0 });
    await ledger.close();
  });

  // Red without `tooMany` in src/brokers/kafka/transactional-commits.ts `aborted`: the app ends for another reason, the dead letter that can't be written.
  test("three aborts at one watermark, for the dead letter is refused as well, end the app", async () => {
    const ledger = await Ledger.open(brokers, { partitions: 1 });
    const { app, aborts } = await startApp(ledger);
    await ledger.send(100);
    await ledger.allCommitted();
    await alter(ledger, ledger.output, "cleanup.policy", "compact");
    await alter(ledger, `${ledger.groupId}.dlq`, "cleanup.policy", "compact");
    await sendStray(ledger.input, keyless, null);
    await ledger.send(50);
    await until(() => app.state === "ERROR", { what: () => `the end of the app: ${aborts.join()}`, ms: 30_000 });
    const committed = await ledger.committed();
    await alter(ledger, ledger.output, "cleanup.policy", "delete"); // the seal has no key
    const { lost, ...account } = await ledger.settle();
    report("three aborts", { aborts: aborts.length }, { committed, lost, ...account });
    expect(aborts).toEqual(["poison", "poison", "poison"]);
    expect(app.error?.message).toBe(`transactions of ${ledger.input}/0 at offset 100 fail`);
    expect(committed).toEqual([100]);
    expect(lost).toBe(50); // what is behind it waits in the input
    expect(account).toEqual({ sent: 150, duplicated: 0, reordered: 0, foreign: 0 });
    await ledger.close();
  });
});
