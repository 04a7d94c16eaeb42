// npm run brokers [-- --nodes 3 | --stop] [--state <folder>]
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startKafka } from "./kafka.ts";
import { startPubSubEmulator } from "./pubsub.ts";
import { isRunning, readState, writeState, type Started } from "./state.ts";
import { removeFolder } from "./temporary-folder.ts";
import { until } from "./until.ts";

const { values: options } = parseArgs({
  options: {
    nodes: { type: "string" },
    stop: { type: "boolean", default: false },
    state: { type: "string", default: join(import.meta.dirname, "../../.cache") },
  },
});
const nodes = options.nodes === undefined ? undefined : nodeCount(options.nodes);
const stateFile = join(options.state, "brokers.json");
const say = (line: string): unknown => process.stdout.write(`${line}\n`);

function nodeCount(text: string): 1 | 3 {
  if (text === "1") return 1;
  if (text === "3") return 3;
  throw new Error(`--nodes is 1 or 3, not ${text}`);
}

/** One of the two brokers. */
interface Kind {
  readonly name: "kafka" | "pubsub";
  readonly title: string;
  readonly variable: string;
  readonly start: () => Promise<Started>;
}

const kinds: readonly Kind[] = [
  { name: "kafka", title: "Kafka", variable: "KAFKA_BROKERS", start: kafka },
  { name: "pubsub", title: "the Pub/Sub emulator", variable: "PUBSUB_EMULATOR_HOST", start: pubsub },
];

async function kafka(): Promise<Started> {
  const cluster = await startKafka({ nodes: nodes ?? 1, detached: true });
  return {
    address: cluster.brokers.join(","),
    nodes: cluster.nodes.length,
    dir: cluster.dir,
    processes: cluster.nodes.map(({ pid, dir }) => ({ pid, mark: join(dir, "server.properties") })),
  };
}

async function pubsub(): Promise<Started> {
  const { host, pid, dir } = await startPubSubEmulator({ detached: true });
  return { address: host, nodes: 1, dir, processes: [{ pid, mark: `--port=${host.split(":")[1]}` }] };
}

async function start({ name, title, variable, start: begin }: Kind): Promise<void> {
  const given = process.env[variable];
  const running = readState(stateFile)[name];
  if (given) {
    say(`# ${variable} was set already: nothing is started for it`);
    say(`${variable}=${given}`);
    return;
  }
  if (running?.processes.every(isRunning) === true) {
    if (name === "kafka" && nodes !== undefined && nodes !== running.nodes) {
      throw new Error(`Kafka is running with ${running.nodes} node(s); end it first: npm run brokers -- --stop`);
    }
    say(`# ${title} is running already`);
    say(`${variable}=${running.address}`);
    return;
  }
  if (running !== undefined) await stop(running);
  const started = await begin();
  writeState(stateFile, { ...readState(stateFile), [name]: started });
  say(`${variable}=${started.address}`);
}

async function stop({ processes, dir }: Started): Promise<void> {
  for (const one of processes) {
    if (isRunning(one)) process.kill(one.pid, "SIGKILL");
    await until(() => !isRunning(one), { what: `the end of process ${one.pid}`, ms: 10_000 });
  }
  removeFolder(dir);
}

async function startAll(): Promise<void> {
  for (const kind of kinds) {
    try {
      await start(kind);
    } catch (cause) {
      process.stderr.write(`${kind.title} is not started: ${cause instanceof Error ? cause.message : String(cause)}\n`);
      process.exitCode = 1;
    }
  }
  say("# to end what was started: npm run brokers -- --stop");
}

async function stopAll(): Promise<void> {
  const state = readState(stateFile);
  for (const { name, title } of kinds) {
    const started = state[name];
    if (started === undefined) continue;
    await stop(started);
    say(`# ${title} has ended`);
  }
  writeState(stateFile, {});
}

await (options.stop ? stopAll() : startAll());
