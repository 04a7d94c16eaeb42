import { join } from "node:path";
import { pubsubEmulatorJar } from "./cloud-sdk.ts";
import { findJava } from "./java.ts";
import { freePorts } from "./ports.ts";
import { Server } from "./process.ts";
import { removeFolder, temporaryFolder } from "./temporary-folder.ts";
import { until } from "./until.ts";

/** What to start. */
export interface EmulatorOptions {
  /** @default one that is free */
  readonly port?: number;
  /** Folder of its log. @default a new temporary one, which `stop` removes */
  readonly dir?: string;
  /** Whether it goes on when this process ends. @default false */
  readonly detached?: boolean;
}

/** A running Pub/Sub emulator. */
export interface PubSubEmulator {
  /** `127.0.0.1:port`. */
  readonly host: string;
  /** That of the process that runs, or ran last. */
  readonly pid: number;
  /** Holds what it prints. */
  readonly dir: string;
  /** Sends a signal; for one that ends processes, resolves when it has ended. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Ends it and starts it at the same port; resolves when it serves. It has forgotten all topics. */
  restart(): Promise<void>;
  /** Ends it, and removes its files where they were temporary. */
  stop(): Promise<void>;
}

const readyMs = 60_000;

/** Starts the Pub/Sub emulator of the Google Cloud SDK at 127.0.0.1; resolves when it serves. Needs Java. */
export async function startPubSubEmulator(options: EmulatorOptions = {}): Promise<PubSubEmulator> {
  const jar = pubsubEmulatorJar();
  const java = findJava();
  const [port = 0] = options.port === undefined ? await freePorts(1) : [options.port];
  const host = `127.0.0.1:${port}`;
  const { detached = false } = options;
  const dir = options.dir ?? temporaryFolder("pubsub", { detached });
  const server = new Server({
    command: java,
    args: ["-Xmx512m", "-jar", jar, "--host=127.0.0.1", `--port=${port}`],
    log: join(dir, "pubsub-emulator.log"),
    detached,
  });
  const serves = async (): Promise<void> => {
    const answers = async (): Promise<boolean> => {
      if (!server.isRunning) throw new Error("it has ended");
      return emulatorAnswers(host);
    };
    try {
      await until(answers, { what: "its answer", ms: readyMs, everyMs: 100 });
    } catch (cause) {
      throw new Error(`the Pub/Sub emulator does not serve; the end of its log:\n${server.tail()}`, { cause });
    }
  };
  const stop = async (): Promise<void> => {
    await server.kill("SIGKILL");
    if (options.dir === undefined) removeFolder(dir);
  };
  try {
    await serves();
  } catch (cause) {
    await stop();
    throw cause;
  }
  return {
    host,
    dir,
    get pid() {
      return server.pid;
    },
    kill: async (signal) => server.kill(signal),
    restart: async () => {
      await server.kill("SIGKILL");
      server.start();
      await serves();
    },
    stop,
  };
}

/** Whether an emulator answers at `host:port`. */
export async function emulatorAnswers(host: string): Promise<boolean> {
  try {
    const { ok } = await fetch(`http://${host}/`, { signal: AbortSignal.timeout(2_000) });
    return ok;
  } catch {
    return false;
  }
}
