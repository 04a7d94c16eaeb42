import { execFile, type ExecFileOptionsWithStringEncoding } from "node:child_process";
import { promisify } from "node:util";

const execute = promisify(execFile);

export interface CommandOptions {
  readonly cwd: string;
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Longest time, milliseconds; then the command is killed. @default 170_000 */
  readonly timeoutMs?: number;
}

/** Runs a command to its end and gives its standard output. Rejects with the whole output when it does not exit with 0. */
export async function run(command: string, args: readonly string[], options: CommandOptions): Promise<string> {
  const { cwd, env, timeoutMs = 170_000 } = options;
  const settings: ExecFileOptionsWithStringEncoding = {
    cwd,
    env: { ...cleanEnvironment(), ...env },
    timeout: timeoutMs,
    killSignal: "SIGKILL",
    maxBuffer: 64 * 1024 * 1024,
    encoding: "utf8",
  };
  try {
    return (await execute(command, args, settings)).stdout;
  } catch (cause) {
    const { stdout = "", stderr = "", code, signal } = cause as Ending; // what execFile rejects with
    const end = signal == null ? `exited with ${code}` : `was ended by ${signal} (limit ${timeoutMs} ms)`;
    throw new Error(`${[command, ...args].join(" ")} ${end}\n${stdout}\n${stderr}`, { cause });
  }
}

interface Ending {
  readonly stdout?: string;
  readonly stderr?: string;
  readonly code?: number | string | null;
  readonly signal?: string | null;
}

/** What a user's shell has: nothing of the npm script and of the test runner that this process was started by. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const own = /^(npm_(?!config_(cache|registry|userconfig)$)|VITEST|NODE_(ENV|OPTIONS)$|TEST$|DEV$|PROD$|MODE$|SSR$|BASE_URL$)/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !own.test(name)));
}
