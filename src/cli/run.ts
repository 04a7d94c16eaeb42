import { memoryBroker, type MemoryBroker } from "../brokers/memory/index.ts";
import { ConfigError } from "../core/errors.ts";
import { StreamsApp } from "../runtime/streams-app.ts";
import { inputLines } from "./lines.ts";
import { loadTopology, type LoadedTopology } from "./load-topology.ts";
import { serve } from "./serve.ts";
import { terminalLogger, type LogFlags } from "./terminal.ts";

export interface RunFlags extends LogFlags {
  readonly broker: "memory";
  readonly applicationId: string;
  readonly input?: string;
  readonly output?: string;
  readonly sink: "console" | "topic";
  readonly engine: string;
  readonly drainMs: number;
}

const encoder = new TextEncoder();

/** Runs a module's topology on the embedded broker; each line of standard input is the value of a record for its source. */
export async function run(module: string, flags: RunFlags): Promise<void> {
  const { applicationId, input, output, sink, engine, drainMs } = flags;
  const logger = terminalLogger(flags);
  const topology = await loadTopology(module, {
    sink,
    engine,
    logger,
    ...(input !== undefined && { input }),
    ...(output !== undefined && { output }),
  });
  const topic = input ?? onlyTopic(topology);
  const broker = memoryBroker();
  const app = new StreamsApp(topology, { applicationId, broker, logger });
  await app.start();
  await serve(app, drainMs, (stopped) => readRecords(broker, topic, stopped));
}

async function readRecords(broker: MemoryBroker, topic: string, stopped: AbortSignal): Promise<number> {
  let count = 0;
  for await (const line of inputLines(stopped)) {
    broker.publish([{ topic, key: null, value: encoder.encode(line), headers: [], timestamp: Date.now() }]);
    count += 1;
  }
  return count;
}

function onlyTopic(topology: LoadedTopology): string {
  const topics = topology.nodes.flatMap((node) => (node.role === "source" ? node.topics : []));
  const [topic] = topics;
  if (topic !== undefined && topics.length === 1) return topic;
  throw new ConfigError(
    `--input must name one of the topics that the topology reads: ${topics.join(", ") || "it reads none"}`,
  );
}
