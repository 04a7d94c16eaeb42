import { execFile } from "node:child_process";
import { promisify } from "node:util";

export interface KafkaTools {
  readonly brokers: readonly string[];
  readonly classpath: string;
}

/** What a main class of Kafka's own tools writes. */
export async function runTool({ classpath }: KafkaTools, main: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)("java", ["-Xmx256m", "-cp", classpath, main, ...args], {
    maxBuffer: 2 ** 28,
    timeout: 90_000,
  });
  return stdout;
}

/** Values of a sealed topic, read by Kafka's own console consumer with `read_committed`. */
export async function javaConsumer(tools: KafkaTools | undefined, topic: string): Promise<readonly string[]> {
  if (tools === undefined) return [];
  const stdout = await runTool(tools, "org.apache.kafka.tools.consumer.ConsoleConsumer", [
    "--bootstrap-server",
    tools.brokers.join(","),
    "--topic",
    topic,
    "--from-beginning",
    "--isolation-level",
    "read_committed",
    "--timeout-ms",
    "5000",
  ]);
  return stdout.split("\n").filter((line) => line !== "" && line !== "the end");
}
