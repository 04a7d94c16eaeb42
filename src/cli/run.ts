import type { OutgoingRecord } from "../core/record.ts";
import type { ProcessingGuarantee } from "../core/broker.ts";
import { ConfigError } from "../core/errors.ts";
import { openTelemetry } from "../opentelemetry/index.ts";
import { StreamsApp } from "../runtime/streams-app.ts";
import { chooseBroker, type BrokerFlags } from "./brokers.ts";
import { inputLines } from "./lines.ts";
import { loadModule, type LoadedTopology } from "./load-topology.ts";
import { serve, untilStopped } from "./serve.ts";
import { terminalLogger, type LogFlags } from "./terminal.ts";

export interface RunFlags extends LogFlags, BrokerFlags {
  readonly applicationId?: string;
  readonly groupId?: string;
  readonly guarantee: ProcessingGuarantee;
  readonly input?: string;
  readonly output?: string;
  readonly sink: "console" | "topic";
  readonly engine: string;
  readonly drainMs: number;
}

const encoder = new TextEncoder();

/**
 * Runs a module's topology. On the embedded broker each line of standard input is the value of a record for its source, and the end of
 * input ends the run; on the others it runs until a signal comes.
 */
export async function run(module: string, flags: RunFlags): Promise<void> {
  const { input, output, sink, engine, drainMs } = flags;
  const logger = terminalLogger(flags);
  const { topology, defaults } = await loadModule(module, {
    sink,
    engine,
    logger,
    ...(input !== undefined && { input }),
    ...(output !== undefined && { output }),
  });
  const { broker, publish } = await chooseBroker(flags, defaults.pubsubTopics ?? {});
  const topic = publish === undefined ? undefined : (input ?? onlyTopic(topology));
  const applicationId = flags.applicationId ?? defaults.applicationId ?? "millrace";
  const app = new StreamsApp(topology, {
    applicationId,
    groupId: flags.groupId ?? flags.applicationId ?? defaults.groupId ?? applicationId,
    processingGuarantee: flags.guarantee,
    broker,
    logger,
    tracing: openTelemetry(),
  });
  await app.start();
  await serve(app, drainMs, (stopped) =>
    publish === undefined || topic === undefined ? untilStopped(stopped) : readRecords(topic, publish, stopped),
  );
}

async function readRecords(
  topic: string,
  publish: (record: OutgoingRecord) => void,
  stopped: AbortSignal,
): Promise<number> {
  let count = 0;
  for await (const line of inputLines(stopped)) {
    publish({ topic, key: null, value: encoder.encode(line), headers: [], timestamp: Date.now() });
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
