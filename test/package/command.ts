import { execFile } from "node:child_process";

export interface CommandOptions {
  readonly cwd: string;
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Longest time, milliseconds; then the command is killed. @default 170_000 */
  readonly timeoutMs?: number;
}

/** Longest output that an error shows of a failed command: its end. */
const shownCharacters = 4_000;

/** Runs a command to its end and gives its standard output. Rejects with the end of its output when it does not exit with 0. */
export function run(command: string, args: readonly string[], options: CommandOptions): Promise<string> {
  const { cwd, env, timeoutMs: timeout = 170_000 } = options;
  const settings = { cwd, env: { ...cleanEnvironment(), ...env }, timeout, killSignal: "SIGKILL", maxBuffer: 2 ** 26 } as const;
  return new Promise((resolve, reject) => {
    execFile(command, args, settings, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else {
        const { code, signal } = error;
        const end = signal == null ? `exited with ${code}` : `was ended by ${signal} (limit ${timeout} ms)`;
        reject(new Error(`${[command, ...args].join(" ")} ${end}\n${(stdout + stderr).slice(-shownCharacters)}`));
      }
    });
  });
}

/** What a user's shell has: nothing of the npm script and of the test runner that this process was started by. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const own = /^(npm_(?!config_(cache|registry|userconfig)$)|VITEST|NODE_(ENV|OPTIONS)$|(TEST|DEV|PROD|MODE|SSR|BASE_URL)$)/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !own.test(name)));
}
