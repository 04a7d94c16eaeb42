import { runTool, type KafkaTools } from "./java.ts";

/** What Kafka's own tool prints of a record that says what a group is. */
interface GroupRecord {
  readonly key: { readonly data: { readonly group: string } };
  readonly value: { readonly data: { readonly generation: number } } | null;
}

/** The highest generation that a group has reached, as its coordinator wrote it to its own log; 0 when it wrote none. */
export async function highestGeneration(tools: KafkaTools | undefined, groupId: string): Promise<number> {
  if (tools === undefined) return 0;
  const stdout = await runTool(tools, "org.apache.kafka.tools.consumer.ConsoleConsumer", [
    "--bootstrap-server",
    tools.brokers.join(","),
    "--topic",
    "__consumer_offsets",
    "--from-beginning",
    "--formatter",
    "org.apache.kafka.tools.consumer.GroupMetadataMessageFormatter",
    "--timeout-ms",
    "5000",
  ]);
  const generations = stdout.split(/(?=\{"key":)/).flatMap((line) => {
    if (!line.includes(groupId)) return [];
    // The formatter writes records of this shape.
    const { key, value } = JSON.parse(line) as GroupRecord;
    return key.data.group === groupId && value !== null ? [value.data.generation] : [];
  });
  return Math.max(0, ...generations);
}
