import { execFile } from "node:child_process";

export interface CommandOptions {
  readonly cwd: string;
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Longest time, milliseconds; then the command is killed. @default 170_000 */
  readonly timeoutMs?: number;
}

/** How a command ended. */
export interface Ending {
  /** `0`, or what went wrong: an exit code, a signal, the code of an error of the system. */
  readonly status: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** Longest output of a failed command that an error shows: half from its beginning, half from its end. */
const shownCharacters = 4_000;

/** Runs a command to its end, whatever that is. */
export function end(command: string, args: readonly string[], options: CommandOptions): Promise<Ending> {
  const { cwd, env, timeoutMs: timeout = 170_000 } = options;
  const settings = {
    cwd,
    env: { ...cleanEnvironment(), ...env },
    timeout,
    killSignal: "SIGKILL",
    maxBuffer: 2 ** 26,
  } as const;
  return new Promise((resolve) => {
    execFile(command, args, settings, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : (error.code ?? error.signal ?? error.message), stdout, stderr });
    });
  });
}

/** Runs a command and gives its standard output. Rejects with what it wrote when it does not exit with 0. */
export async function run(command: string, args: readonly string[], options: CommandOptions): Promise<string> {
  const { status, stdout, stderr } = await end(command, args, options);
  if (status === 0) return stdout;
  throw new Error(`${[command, ...args].join(" ")}: ${status}\n${shortened(stdout + stderr)}`);
}

function shortened(output: string): string {
  const half = shownCharacters / 2;
  return output.length <= shownCharacters ? output : `${output.slice(0, half)}\n…\n${output.slice(-half)}`;
}

/** What a user's shell has: nothing of the npm script and of the test runner that this process was started by. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const own =
    /^(npm_(?!config_(cache|registry|userconfig)$)|VITEST|NODE_(ENV|OPTIONS)$|(TEST|DEV|PROD|MODE|SSR|BASE_URL)$)/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !own.test(name)));
}
