import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import type { ProcessingGuarantee } from "millrace";
import type { KafkaOptions } from "millrace/kafka";
import { until } from "../../scripts/brokers/until.ts";

export interface WorkerOptions {
  readonly kafka: KafkaOptions;
  readonly groupId: string;
  readonly input: string;
  readonly output: string;
  readonly processingGuarantee?: ProcessingGuarantee;
  readonly commitIntervalMs?: number;
  readonly maxInFlight?: number;
  /** Longest time that a record takes; how long each takes is random. @default 0 */
  readonly latencyMs?: number;
  readonly reset?: "earliest" | "latest";
}

/** A process of its own that runs `worker.js`. */
export class Worker {
  readonly lines: string[] = [];
  /** Times that the system stopped it. */
  stops = 0;
  private readonly child: ChildProcess;
  private readonly exited: Promise<unknown>;

  constructor(options: WorkerOptions, env: Readonly<Record<string, string>> = {}) {
    this.child = spawn(process.execPath, [join(import.meta.dirname, "worker.js"), JSON.stringify(options)], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.exited = once(this.child, "exit");
    for (const stream of [this.child.stdout, this.child.stderr]) {
      if (stream !== null) createInterface(stream).on("line", (line) => this.lines.push(line));
    }
  }

  /** Times that the group gave it partitions, none included. */
  get assignments(): number {
    return this.lines.filter((line) => line.startsWith("ASSIGNED")).length;
  }

  /** What the group gave it last. */
  get assigned(): string {
    return this.lines.findLast((line) => line.startsWith("ASSIGNED"))?.slice("ASSIGNED ".length) ?? "";
  }

  /** 1 when it was killed: the system says which signal ended it. */
  get kills(): number {
    return this.child.signalCode === "SIGKILL" ? 1 : 0;
  }

  /** Times that it gave up a consumer for a new one. */
  get replacements(): readonly string[] {
    return this.lines.filter((line) => line.startsWith("WARN kafka consumer is replaced"));
  }

  /** Resolves when it runs and the group has given it partitions. */
  async ready(): Promise<this> {
    await until(() => this.assignments > 0, {
      what: () => `a worker: ${this.lines.join(" | ")}`,
      ms: 30_000,
    });
    return this;
  }

  /** Resolves when the system has stopped it. */
  async stop(): Promise<void> {
    this.child.kill("SIGSTOP");
    await until(async () => (await stateOf(this.child)).startsWith("T"), {
      what: "a worker to be stopped",
      ms: 10_000,
    });
    this.stops += 1;
  }

  /** Lets it go on after a stop. */
  resume(): void {
    this.child.kill("SIGCONT");
  }

  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.exited;
  }

  /** Lets it drain and leave. */
  async close(): Promise<void> {
    this.child.kill("SIGTERM");
    await this.exited;
  }
}

/** What the system says of a process: `T` when it is stopped. */
async function stateOf({ pid }: ChildProcess): Promise<string> {
  const { stdout } = await promisify(execFile)("ps", ["-o", "stat=", "-p", String(pid)]);
  return stdout.trim();
}
