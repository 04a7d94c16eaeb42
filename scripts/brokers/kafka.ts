import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Kafka, logLevel } from "kafkajs";
import { findJava } from "./java.ts";
import { serverProperties, type NodeAddress, type NodeConfig } from "./kafka-config.ts";
import { kafkaClasspath } from "./kafka-jars.ts";
import { freePorts } from "./ports.ts";
import { Server } from "./process.ts";
import { removeFolder, temporaryFolder } from "./temporary-folder.ts";
import { until } from "./until.ts";

/** What to start. */
export interface KafkaClusterOptions {
  /** Brokers, each a controller too. @default 1 */
  readonly nodes?: 1 | 3;
  /** Folder of the nodes' files. @default a new temporary one, which `stop` removes */
  readonly dir?: string;
  /** Added to each node's `server.properties`; what it says of listeners must keep the node's own two. */
  readonly config?: NodeConfig;
  /** Added to the arguments of the storage tool's `format`, as `--add-scram`. */
  readonly formatArgs?: readonly string[];
  /** Whether it goes on when this process ends. @default false */
  readonly detached?: boolean;
}

/** One process of a cluster. Its port and its data stay what they are when it is killed and started. */
export interface KafkaNode {
  readonly id: number;
  readonly port: number;
  /** That of the process that runs, or ran last. */
  readonly pid: number;
  /** Folder of its `server.properties`, its log (`log`) and its data (`data`). */
  readonly dir: string;
  /** Sends a signal; for one that ends processes, resolves when it has ended. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Starts it after it was killed; resolves when it serves. */
  start(): Promise<void>;
}

/** A running Kafka. */
export interface KafkaCluster {
  /** `127.0.0.1:port` of each node. */
  readonly brokers: string[];
  readonly nodes: readonly KafkaNode[];
  readonly classpath: string;
  readonly dir: string;
  /** Runs a tool of Kafka, as `kafka.tools.DumpLogSegments`. */
  java(mainClass: string, args: readonly string[]): ChildProcessWithoutNullStreams;
  /** Ends all nodes, and removes their files where they were temporary. */
  stop(): Promise<void>;
}

const readyMs = 90_000;

/** Starts Apache Kafka on free ports of 127.0.0.1; resolves when all nodes serve. Needs Java 17 and, the first time, Maven. */
export async function startKafka(options: KafkaClusterOptions = {}): Promise<KafkaCluster> {
  const java = findJava();
  const classpath = kafkaClasspath();
  const { detached = false } = options;
  const dir = options.dir ?? temporaryFolder("kafka", { detached });
  const addresses = await addressesIn(dir, options.nodes ?? 1);
  const run: RunJava = (mainClass, args) => spawn(java, ["-cp", classpath, mainClass, ...args]);
  const nodes: Node[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map(async (node) => node.kill("SIGKILL")));
    if (options.dir === undefined) removeFolder(dir);
  };
  try {
    await writeAndFormat(addresses, run, options);
    for (const address of addresses) {
      nodes.push(new Node(address, { java, classpath, detached }));
    }
    await Promise.all(nodes.map(async (node) => node.serves(nodes.length)));
  } catch (cause) {
    await stop();
    throw cause;
  }
  return { brokers: addresses.map(({ port }) => `127.0.0.1:${port}`), nodes, classpath, dir, java: run, stop };
}

type RunJava = KafkaCluster["java"];

async function addressesIn(dir: string, count: number): Promise<NodeAddress[]> {
  const ports = await freePorts(2 * count);
  return Array.from({ length: count }, (_, index) => ({
    id: index + 1,
    port: ports[2 * index] ?? 0,
    controllerPort: ports[2 * index + 1] ?? 0,
    dir: join(dir, `node-${index + 1}`),
  }));
}

async function writeAndFormat(
  addresses: readonly NodeAddress[],
  run: RunJava,
  { config = {}, formatArgs = [] }: KafkaClusterOptions,
): Promise<void> {
  // As Kafka writes UUIDs. The first byte keeps it from beginning with a dash.
  const clusterId = Buffer.concat([Buffer.of(0), randomBytes(15)]).toString("base64url");
  await Promise.all(
    addresses.map(async (node) => {
      const file = join(node.dir, "server.properties");
      mkdirSync(node.dir, { recursive: true });
      writeFileSync(file, serverProperties(node, addresses, config));
      const args = ["format", "-t", clusterId, "-c", file, "--ignore-formatted", ...formatArgs];
      await finished(run("kafka.tools.StorageTool", args));
    }),
  );
}

async function finished(tool: ChildProcessWithoutNullStreams): Promise<void> {
  let output = "";
  const collect = (chunk: Buffer): unknown => (output += chunk.toString());
  tool.stdout.on("data", collect);
  tool.stderr.on("data", collect);
  const code = await new Promise<number | null>((resolve, reject) => {
    tool.once("close", resolve).once("error", reject);
  });
  if (code !== 0) throw new Error(`Kafka's storage tool exited with ${code}:\n${output.trim()}`);
}

class Node implements KafkaNode {
  readonly id: number;
  readonly port: number;
  readonly dir: string;
  private readonly server: Server;

  constructor({ id, port, dir }: NodeAddress, { java, classpath, detached }: NodeRuntime) {
    this.id = id;
    this.port = port;
    this.dir = dir;
    this.server = new Server({
      command: java,
      args: [
        ...["-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", classpath],
        ...["kafka.Kafka", join(dir, "server.properties")],
      ],
      log: join(dir, "log"),
      detached,
    });
  }

  get pid(): number {
    return this.server.pid;
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    await this.server.kill(signal);
  }

  async start(): Promise<void> {
    this.server.start();
    await this.serves(1);
  }

  /** Resolves when it answers, and knows itself and `count - 1` more. */
  async serves(count: number): Promise<void> {
    const answers = async (): Promise<boolean> => {
      if (!this.server.isRunning) throw new Error("it has ended");
      const ports = await brokerPorts(`127.0.0.1:${this.port}`).catch(() => undefined);
      return ports !== undefined && ports.includes(this.port) && ports.length >= count;
    };
    try {
      await until(answers, { what: "its answer", ms: readyMs, everyMs: 100 });
    } catch (cause) {
      throw new Error(`node ${this.id} of Kafka does not serve; the end of its log:\n${this.server.tail()}`, { cause });
    }
  }
}

interface NodeRuntime {
  readonly java: string;
  readonly classpath: string;
  readonly detached: boolean;
}

/** Ports of the brokers that are up, as the one at `address` knows them. */
export async function brokerPorts(address: string): Promise<number[]> {
  const client = new Kafka({ brokers: [address], logLevel: logLevel.NOTHING, retry: { retries: 0 } });
  const admin = client.admin();
  try {
    await admin.connect();
    const { brokers } = await admin.describeCluster();
    return brokers.map(({ port }) => port);
  } finally {
    await admin.disconnect();
  }
}
