import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";

/** Where the tests find the data set. */
const dataDirectory = process.env["FASHION_MNIST_DIR"] ?? "../shared/fashion-mnist";
const hasData = existsSync(dataDirectory);

/** A run of the built command; its output so far, and ways to wait for more. */
export class Command {
  readonly child: ChildProcessWithoutNullStreams;
  stdout = "";
  stderr = "";
  private readonly ended: Promise<unknown>;

  constructor(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.child = spawn(process.execPath, ["dist/src/cli/main.js", ...args], {
      env: { ...process.env, ...(hasData && { FASHION_MNIST_DIR: dataDirectory }), ...env },
    });
    this.child.stdout.setEncoding("utf8").on("data", (text: string) => (this.stdout += text));
    this.child.stderr.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    this.ended = once(this.child, "close");
  }

  /** Resolves when standard output matches. */
  async prints(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.stdout)) await Promise.race([once(this.child.stdout, "data"), this.mustRun()]);
  }

  /** Resolves when standard error matches. */
  async complains(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.stderr)) await Promise.race([once(this.child.stderr, "data"), this.mustRun()]);
  }

  /** Exit code, or the name of the signal that ended it. */
  async end(): Promise<number | NodeJS.Signals | null> {
    await this.ended;
    return this.child.exitCode ?? this.child.signalCode;
  }

  private async mustRun(): Promise<never> {
    await this.ended;
    throw new Error(`the command ended early: ${this.stdout}\n${this.stderr}`);
  }
}
