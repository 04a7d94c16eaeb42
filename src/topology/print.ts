import type { StreamRecord } from "../core/record.ts";

/** `[label]: key, value`, as Kafka Streams prints; what is not text or a number as JSON. */
export function printedLine<K, V>(label: string, record: StreamRecord<K, V>): string {
  return `[${label}]: ${printed(record.key)}, ${printed(record.value)}`;
}

function printed(value: unknown): string {
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
}
