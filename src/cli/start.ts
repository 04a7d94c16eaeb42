import { memoryBroker, type MemoryBroker } from "../brokers/memory/index.ts";
import { StreamsApp } from "../runtime/streams-app.ts";
import { inputLines } from "./lines.ts";
import { serve } from "./serve.ts";
import { terminalLogger, writeLine, type LogFlags } from "./terminal.ts";

export interface StartFlags extends LogFlags {
  readonly engine: "auto" | "onnx" | "tfjs-node" | "tfjs-wasm";
  readonly drainMs: number;
}

interface Range {
  readonly start: number;
  readonly end: number;
}

const topic = "INFERENCE";
const encoder = new TextEncoder();
/** All requests of a console have one key: its answers come in the order in which it asked. */
const key = encoder.encode("console");

/** The reference application on the embedded broker: one range and the end, or [0, 10) and then what standard input asks for. */
export async function runStart(only: Range | undefined, flags: StartFlags): Promise<void> {
  const { embeddedInference } = await import("millrace/topologies/embedded-inference");
  const logger = terminalLogger(flags);
  const { engine, drainMs } = flags;
  const topology = embeddedInference({ input: topic, sink: "console", write: writeLine, engine, logger });
  const broker = memoryBroker();
  const app = new StreamsApp(topology, {
    applicationId: "embedded-inference",
    groupId: "consumer-group-1",
    broker,
    logger,
  });
  await app.start();
  await serve(app, drainMs, async (stopped) => {
    request(broker, only ?? { start: 0, end: 10 });
    return only === undefined ? 1 + (await readRanges(broker, stopped)) : 1;
  });
}

/** Publishes a request for each line `start end`; returns how many. */
async function readRanges(broker: MemoryBroker, stopped: AbortSignal): Promise<number> {
  let count = 0;
  for await (const line of inputLines(stopped)) {
    const [start, end, ...rest] = line.trim().split(/\s+/);
    if (start === "" || start === undefined) continue;
    if (end === undefined || rest.length > 0 || Number.isNaN(Number(start)) || Number.isNaN(Number(end))) {
      process.stderr.write(`error: expected a line of two numbers: start end; got ${JSON.stringify(line)}\n`);
      continue;
    }
    request(broker, { start: Number(start), end: Number(end) });
    count += 1;
  }
  return count;
}

function request(broker: MemoryBroker, { start, end }: Range): void {
  const value = encoder.encode(JSON.stringify({ start_idx: start, end_idx: end }));
  broker.publish([{ topic, key, value, headers: [], timestamp: Date.now() }]);
}
