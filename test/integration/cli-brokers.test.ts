import { randomUUID } from "node:crypto";
import { predictionSchema } from "millrace/topologies/embedded-inference";
import { describe, expect, test } from "vitest";
import { kafkaBrokers, pubsubEmulator } from "../brokers/addresses.ts";
import { Command } from "./command.ts";
import { until } from "../../scripts/brokers/until.ts";
import { plainKafka, plainPubSub, skipped } from "./plain-clients.ts";

const [kafkaAddresses, emulator] = [kafkaBrokers(), pubsubEmulator()];
const none = { KAFKA_BROKERS: "", PUBSUB_EMULATOR_HOST: "", PUBSUB_PROJECT_ID: "", GOOGLE_CLOUD_PROJECT: "" };
const reference = ["run", "topologies/embedded-inference"];

describe("millrace run --broker", () => {
  test("kafka without an address says where it comes from", async () => {
    const command = new Command([...reference, "--broker", "kafka"], none);
    expect(await command.end()).toBe(1);
    expect(command.stderr).toMatch(/^error: kafka: no address: set KAFKA_BROKERS, or give --kafka-brokers/);
  });

  test("kafka refuses an address that is none", async () => {
    const command = new Command([...reference, "--broker", "kafka", "--kafka-brokers", "here,there:9092"], none);
    expect(await command.end()).toBe(1);
    expect(command.stderr).toBe('error: kafka: brokers must be "host:port", got "here"\n');
  });

  test("pubsub refuses exactly_once with the reason", async () => {
    const command = new Command([...reference, "--broker", "pubsub", "--guarantee", "exactly_once"], none);
    expect(await command.end()).toBe(1);
    expect(command.stderr).toMatch(/^error: pubsub can't do exactly_once: it has no transaction/);
  });

  test.each([
    ["pubsub", "--partitions", "3"],
    ["kafka", "--replication-factor", "3"],
  ])("%s refuses %s where it would do nothing", async (broker, ...flags) => {
    const command = new Command([...reference, "--broker", broker, ...flags], none);
    expect(await command.end()).toBe(1);
    expect(command.stderr).toContain("are for --broker kafka with --create-topics");
  });

  test("refuses a broker that it does not know", async () => {
    const command = new Command([...reference, "--broker", "nats"]);
    expect(await command.end()).toBe(1);
    expect(command.stderr).toContain("Allowed choices are memory, kafka, pubsub");
  });
});

describe.skipIf(kafkaAddresses === undefined && skipped("millrace run --broker kafka (KAFKA_BROKERS is not set)"))(
  "millrace run --broker kafka",
  () => {
    const brokers = kafkaAddresses ?? [];

    test("names the topics that are missing and the command that creates them", async () => {
      const id = `cli-${randomUUID()}`;
      const command = new Command([...reference, ...onKafka(id)]);
      expect(await command.end()).toBe(1);
      expect(command.stderr).toContain(`${id}-in, ${id}-out, ${id}.dlq not found. Start with --create-topics`);
      expect(command.stderr).toContain(`--create --topic ${id}-in --partitions 1 --replication-factor 1`);
    });

    test.each(["at_least_once", "exactly_once"])(
      "%s: classifies what a kafkajs producer publishes, and drains on SIGTERM",
      async (guarantee) => {
        const id = `cli-${randomUUID()}`;
        const client = plainKafka(brokers);
        await client.createTopic(`${id}-in`, 2);
        const flags = ["--guarantee", guarantee, "--create-topics", "--partitions", "2", "--replication-factor", "1"];
        const command = new Command([...reference, ...onKafka(id), ...flags]);
        await client.publish(`${id}-in`, [
          { key: "a", value: '{"start_idx":0,"end_idx":3}', headers: { run_id: "r1" } },
          { key: "a", value: '{"start_idx":3,"end_idx":3}' },
          { key: "b", headers: { start_idx: "5", end_idx: "6" } },
        ]);
        await command.complains(/start_idx/);
        const written = await client.collect(`${id}-out`);
        const letters = await client.collect(`${id}.dlq`);
        await until(() => written.length >= 2 && letters.length > 0, { what: "results and the dead letter" });
        command.child.kill("SIGTERM");
        expect(await command.end()).toBe(0);
        const results = new Map(written.map(({ key, value }) => [key, predictionSchema.parse(JSON.parse(value))]));
        expect(results.get("a")).toMatchObject({ start_idx: 0, end_idx: 3 });
        expect(results.get("a")?.predictions).toHaveLength(3);
        expect(results.get("b")).toMatchObject({ start_idx: 5, end_idx: 6 });
        expect(written.find(({ key }) => key === "a")?.headers).toMatchObject({ run_id: "r1" });
        expect(letters).toMatchObject([{ key: "a", headers: { "millrace.error.code": "ERR_DECODE" } }]);
        await client.close();
      },
    );

    test("prints to the console, and goes on behind what its group has done", async () => {
      const id = `cli-${randomUUID()}`;
      const client = plainKafka(brokers);
      const args = [...reference, "--broker", "kafka", "--create-topics", "--group-id", id, "--input", id];
      await client.createTopic(id);
      for (const start of [0, 7]) {
        const command = new Command(args);
        await client.publish(id, [{ headers: { start_idx: String(start), end_idx: String(start + 2) } }]);
        await command.prints(/Model Inference \[\d+ - \d+\]\n.+, .+\n/);
        command.child.kill("SIGINT");
        expect(await command.end()).toBe(0);
        expect(command.stdout.match(/\[\d+ - \d+\]/g)).toEqual([`[${start} - ${start + 2}]`]);
      }
      await client.close();
    });
  },
);

describe.skipIf(emulator === undefined && skipped("millrace run --broker pubsub (PUBSUB_EMULATOR_HOST is not set)"))(
  "millrace run --broker pubsub",
  () => {
    const host = emulator ?? "";

    test("names the topics that are missing and the command that creates them", async () => {
      const env = { PUBSUB_PROJECT_ID: `cli-${randomUUID()}` };
      const command = new Command([...reference, "--broker", "pubsub", "--sink", "topic"], env);
      expect(await command.end()).toBe(1);
      expect(command.stderr).toContain("missing topics: MODEL-INFERENCE, MODEL-PREDICTIONS, embedded-inference.dlq");
      expect(command.stderr).toContain(
        `gcloud pubsub topics create MODEL-INFERENCE --project=${env.PUBSUB_PROJECT_ID}`,
      );
    });

    test("classifies what comes as attributes or JSON on MODEL-INFERENCE, and drains on SIGTERM", async () => {
      const projectId = `cli-${randomUUID()}`;
      const client = plainPubSub(host, projectId);
      for (const topic of ["MODEL-INFERENCE", "MODEL-PREDICTIONS", "embedded-inference.dlq"])
        await client.createTopic(topic);
      const written = await client.collect("MODEL-PREDICTIONS");
      const letters = await client.collect("embedded-inference.dlq");
      const command = new Command([...reference, "--broker", "pubsub", "--create-topics", "--sink", "topic"], {
        PUBSUB_PROJECT_ID: projectId,
      });
      const subscription = "MODEL-INFERENCE-consumer-group-1";
      await until(() => client.hasSubscription(subscription), { what: subscription });
      await client.publish("MODEL-INFERENCE", [
        { headers: { start_idx: "0", end_idx: "3", run_id: "r1" } },
        { value: '{"start_idx":5,"end_idx":6}' },
        { headers: { start_idx: "zero", end_idx: "3" } },
      ]);
      await until(() => written.length >= 2 && letters.length > 0, { what: "results and the dead letter" });
      command.child.kill("SIGTERM");
      expect(await command.end()).toBe(0);
      const results = written.map(({ value }) => predictionSchema.parse(JSON.parse(value)));
      expect(results.map(({ start_idx, predictions }) => [start_idx, predictions.length]).toSorted()).toEqual([
        [0, 3],
        [5, 1],
      ]);
      expect(written.map(({ headers }) => headers["run_id"])).toContain("r1");
      expect(letters[0]?.headers["millrace.error.message"]).toContain("start_idx: expected a header");
      await client.close();
    });
  },
);

function onKafka(id: string): readonly string[] {
  const names = ["--application-id", id, "--input", `${id}-in`, "--output", `${id}-out`];
  return ["--broker", "kafka", "--sink", "topic", ...names];
}
