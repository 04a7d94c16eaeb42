import { Command } from "../integration/command.ts";

/** `millrace start` in a process of its own. */
export class Service {
  readonly address: string;
  private readonly command: Command;

  private constructor(command: Command, address: string) {
    this.command = command;
    this.address = address;
  }

  /** Starts it; resolves when it listens. @param port 0 = a free one */
  static async start(args: readonly string[] = [], env: NodeJS.ProcessEnv = {}, port = 0): Promise<Service> {
    const command = new Command(["start", "--port", String(port), ...args], env);
    await command.prints(/^http\S+ shows what runs here$/m);
    return new Service(command, /^http\S+/m.exec(command.stdout)?.[0] ?? "");
  }

  get port(): number {
    return Number(new URL(this.address).port);
  }

  /** Labels that the topology itself has printed for a range, which is no longer than a slice. */
  async printed(start: number, end: number): Promise<string[]> {
    const lines = new RegExp(`Model Inference \\[${start} - ${end}\\]\n(.+)\n`);
    await this.command.prints(lines);
    return lines.exec(this.command.stdout)?.[1]?.split(", ") ?? [];
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    this.command.child.kill(signal);
    await this.command.end();
  }
}
