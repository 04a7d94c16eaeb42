import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { z } from "zod";

const startedSchema = z.object({
  /** Where it serves: `host:port`, several with commas between. */
  address: z.string(),
  nodes: z.number(),
  /** Its files. */
  dir: z.string(),
  processes: z.array(
    z.object({
      pid: z.number(),
      /** What its command line contains: after a reboot the pid may be another program's. */
      mark: z.string(),
    }),
  ),
});

const stateSchema = z.object({ kafka: startedSchema.optional(), pubsub: startedSchema.optional() });

/** A broker that was started, and goes on. */
export type Started = z.infer<typeof startedSchema>;

/** What was started, as the state file says it. */
export type State = z.infer<typeof stateSchema>;

/** What was started and still runs; nothing when there is no such file. */
export function readState(file: string): State {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return {};
  }
  return stateSchema.parse(JSON.parse(text));
}

/** Writes the file; removes it when nothing is started. */
export function writeState(file: string, state: State): void {
  mkdirSync(dirname(file), { recursive: true });
  if (state.kafka === undefined && state.pubsub === undefined) rmSync(file, { force: true });
  else writeFileSync(file, `${JSON.stringify(state, null, 2)}\n`);
}

/** Whether the process is still the one that was started. */
export function isRunning({ pid, mark }: Started["processes"][number]): boolean {
  const { stdout } = spawnSync("ps", ["-ww", "-o", "args=", "-p", String(pid)], { encoding: "utf8" });
  return stdout.includes(mark);
}
