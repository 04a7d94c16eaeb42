import { spawn } from "node:child_process";
import { once } from "node:events";
import { findJava } from "../../scripts/brokers/java.ts";
import type { KafkaTools } from "../faults/java.ts";

/** Writes lines to a topic as Kafka's own console producer does, each the value of a record. */
export async function javaProducer(
  { brokers, classpath }: KafkaTools,
  topic: string,
  { compression, lines }: { readonly compression: string; readonly lines: readonly string[] },
): Promise<void> {
  const args = ["--bootstrap-server", brokers.join(","), "--topic", topic, "--compression-codec", compression];
  const child = spawn(findJava(), [
    ...["-Xmx256m", "-cp", classpath, "org.apache.kafka.tools.ConsoleProducer", ...args],
  ]);
  let complaints = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (complaints += text));
  child.stdout.resume();
  child.stdin.end(lines.map((line) => `${line}\n`).join(""));
  await once(child, "close");
  if (child.exitCode !== 0) throw new Error(`Kafka's producer exited with ${child.exitCode}: ${complaints}`);
}
