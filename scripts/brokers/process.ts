import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";

/** How a server is run. */
export interface ServerOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** The file that its output is appended to. */
  readonly log: string;
  /** Whether it goes on when this process ends. */
  readonly detached: boolean;
}

/** A process that serves until it is ended. */
export class Server {
  private readonly options: ServerOptions;
  private child: ChildProcess;

  constructor(options: ServerOptions) {
    this.options = options;
    this.child = this.spawn();
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.child.pid !== undefined && this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Sends a signal; for one that ends processes, resolves when it has ended. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    if (!this.isRunning) return;
    this.child.ref(); // Awaited: this process stays for it.
    const ended = once(this.child, "exit");
    this.child.kill(signal);
    if (["SIGKILL", "SIGTERM", "SIGINT"].includes(signal)) await ended;
  }

  /** Runs it again after it has ended. */
  start(): void {
    if (this.isRunning) throw new Error(`process ${this.pid} is still running`);
    this.child = this.spawn();
  }

  /** The last lines that it printed. */
  tail(): string {
    return readFileSync(this.options.log, "utf8").trimEnd().split("\n").slice(-20).join("\n");
  }

  private spawn(): ChildProcess {
    const { command, args, log, detached } = this.options;
    const output = openSync(log, "a");
    const child = spawn(command, args, { detached, stdio: ["ignore", output, output] });
    closeSync(output);
    child.on("error", () => {}); // Then it has no pid, and is not running.
    child.unref();
    if (!detached) {
      const end = (): boolean => child.kill("SIGKILL");
      process.once("exit", end);
      child.once("exit", () => process.off("exit", end));
    }
    return child;
  }
}
