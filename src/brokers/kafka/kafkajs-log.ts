import type { LogEntry, logCreator } from "kafkajs";
import type { Logger } from "../../core/logger.ts";

/**
 * Passes what kafkajs logs on to `logger`.
 *
 * A crash is a warning. All else is `debug`: kafkajs reports as errors what it retries by itself, and what it rejects is reported by
 * whoever called it. Only fields that hold no secret are passed on.
 */
export function kafkajsLog(logger: Logger): logCreator {
  return () => (entry) => {
    const fields = fieldsOf(entry);
    if (isCrash(entry)) logger.warn(fields, entry.log.message);
    else logger.debug(fields, entry.log.message);
  };
}

const named = [
  "broker",
  "clientId",
  "groupId",
  "memberId",
  "topic",
  "topics",
  "partition",
  "generationId",
  "memberAssignment",
  "correlationId",
  "transactionalId",
  "retryCount",
  "retryTime",
  "error",
] as const;

function fieldsOf({ namespace, label, log }: LogEntry): object {
  const fields: Record<string, unknown> = { kafkajs: namespace, level: label };
  for (const name of named) {
    const value: unknown = log[name];
    if (value !== undefined) fields[name] = value;
  }
  return fields;
}

function isCrash({ label, log }: LogEntry): boolean {
  return label === "ERROR" && log.message.startsWith("Crash");
}
