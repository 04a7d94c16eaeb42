import { pino, type Logger as PinoLogger } from "pino";
import type { Logger } from "../core/logger.ts";

export interface LogFlags {
  readonly json: boolean;
  readonly verbose: boolean;
}

/** Logs to standard error: standard output is for results. Lines for people, or pino's JSON. */
export function terminalLogger({ json, verbose }: LogFlags): PinoLogger & Logger {
  const level = verbose ? "info" : "warn";
  if (json) return pino({ level }, pino.destination({ dest: 2, sync: true }));
  return pino({ level, base: null }, { write: (line) => process.stderr.write(`${forPeople(line)}\n`) });
}

/** `warn: record dead-lettered: source: end_idx: must be above start_idx (at memory:INFERENCE/0@3)` */
function forPeople(line: string): string {
  const { level, msg } = JSON.parse(line) as { readonly level: number; readonly msg: string };
  return `${pino.levels.labels[level] ?? "log"}: ${msg}`;
}

/** Writes a line to standard output; resolves when it is out, so that a slow reader slows the topology. */
export function writeLine(line: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(`${line}\n`, (error) => (error === null || error === undefined ? resolve() : reject(error)));
  });
}
