import { spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { predictionSchema } from "millrace/topologies/embedded-inference";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findJava } from "../../scripts/brokers/java.ts";
import { kafkaClasspath } from "../../scripts/brokers/kafka-jars.ts";
import { kafkaBrokers } from "../brokers/addresses.ts";
import { Command } from "./command.ts";
import { until } from "../../scripts/brokers/until.ts";
import { plainKafka, skipped, type Message } from "./plain-clients.ts";

/** A program that publishes, for one, what it reads: `key|value` lines. */
interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly input: string;
}

const addresses = kafkaBrokers();
const topic = `clients-${randomUUID()}`;
const servers = (addresses ?? []).join(",");

describe.skipIf(addresses === undefined && skipped("clients of Kafka (KAFKA_BROKERS is not set)"))(
  "any client may publish",
  () => {
    const client = plainKafka(addresses ?? []);
    let written: readonly Required<Message>[] = [];
    let command: Command | undefined;

    beforeAll(async () => {
      for (const name of [topic, `${topic}-out`, `${topic}.dlq`]) await client.createTopic(name);
      written = await client.collect(`${topic}-out`);
      const names = ["--application-id", topic, "--input", topic, "--output", `${topic}-out`, "--sink", "topic"];
      command = new Command(["run", "topologies/embedded-inference", "--broker", "kafka", ...names]);
    });

    afterAll(async () => {
      command?.child.kill("SIGTERM");
      expect(await command?.end()).toBe(0);
      await client.close();
    });

    const java = javaProducer();
    test.skipIf(java === undefined)("Kafka's Java console producer", async () => {
      await publish(java);
      await answered({ key: "java", start: 1 });
    });

    const kcat = isThere("kcat", ["-V"], "apt-get install kcat");
    test.skipIf(!kcat)("kcat, with a key and a JSON value, or with headers and none", async () => {
      const args = ["-b", servers, "-t", topic, "-P", "-K", "|"];
      await publish({ command: "kcat", args, input: request("kcat", 2) });
      await answered({ key: "kcat", start: 2 });
      const headers = ["-H", "start_idx=3", "-H", "end_idx=5"];
      await publish({ command: "kcat", args: [...args, ...headers], input: "kcat-headers|\n" });
      await answered({ key: "kcat-headers", start: 3 });
    });

    const python = isThere("python3", ["-c", "import kafka"], "pip install kafka-python");
    test.skipIf(!python)("a Python client, with a key and a JSON value, or with headers and none", async () => {
      const code = `
import sys
from kafka import KafkaProducer
producer = KafkaProducer(bootstrap_servers=sys.argv[1].split(","))
producer.send(sys.argv[2], key=b"python", value=b'{"start_idx":4,"end_idx":6}')
producer.send(sys.argv[2], key=b"python-headers", value=b"", headers=[("start_idx", b"5"), ("end_idx", b"7")])
producer.flush()
`;
      await publish({ command: "python3", args: ["-c", code, servers, topic], input: "" });
      await answered({ key: "python", start: 4 });
      await answered({ key: "python-headers", start: 5 });
    });

    async function answered({ key, start }: { readonly key: string; readonly start: number }): Promise<void> {
      await until(() => written.some((message) => message.key === key), { what: `the answer to ${key}` });
      const values = written.filter((message) => message.key === key).map(({ value }) => value);
      expect(values).toHaveLength(1);
      const { start_idx, end_idx, predictions } = predictionSchema.parse(JSON.parse(values[0] ?? ""));
      expect([start_idx, end_idx, predictions.length]).toEqual([start, start + 2, 2]);
    }
  },
);

function request(key: string, start: number): string {
  return `${key}|{"start_idx":${start},"end_idx":${start + 2}}\n`;
}

async function publish(program: Program | undefined): Promise<void> {
  if (program === undefined) return;
  const child = spawn(program.command, program.args, { stdio: ["pipe", "ignore", "pipe"] });
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (complaint += text));
  child.stdin.end(program.input);
  const [code] = (await once(child, "close")) as [number | null];
  expect(code, complaint).toBe(0);
}

function javaProducer(): Program | undefined {
  if (addresses === undefined) return undefined;
  try {
    const properties = ["--property", "parse.key=true", "--property", "key.separator=|"];
    const main = ["org.apache.kafka.tools.ConsoleProducer", "--bootstrap-server", servers, "--topic", topic];
    return {
      command: findJava(),
      args: ["-Xmx128m", "-cp", kafkaClasspath(), ...main, ...properties],
      input: request("java", 1),
    };
  } catch (cause) {
    skipped(`Kafka's Java console producer (${cause instanceof Error ? cause.message : String(cause)})`);
    return undefined;
  }
}

/** Programs of others are no duty, not even where CI=true: a line says which is missing. */
function isThere(command: string, args: readonly string[], install: string): boolean {
  if (addresses === undefined || spawnSync(command, args).status === 0) return true;
  process.stderr.write(`skipped: publishing with ${command} (${install})\n`);
  return false;
}
