import { setTimeout } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import { memoryBroker } from "../brokers/memory/index.ts";
import { openTelemetry } from "../opentelemetry/index.ts";
import { StreamsApp } from "../runtime/streams-app.ts";
import { chooseBroker, type BrokerFlags } from "./brokers.ts";
import { serve, untilStopped } from "./serve.ts";
import { listen, tokenOf, triggerServer, type ServerFlags } from "./server.ts";
import { loadTestGallery } from "./test-gallery.ts";
import { terminalLogger, writeLine, type LogFlags } from "./terminal.ts";

export interface StartFlags extends LogFlags, BrokerFlags, ServerFlags {
  readonly engine: "auto" | "onnx" | "tfjs-node" | "tfjs-wasm";
  readonly drainMs: number;
}

export interface Range {
  readonly start: number;
  readonly end: number;
}

const encoder = new TextEncoder();

/** What the page opens with. */
const firstRange = { start_idx: 0, end_idx: 10 };

/** Time between two looks whether it can be run, milliseconds. */
const lookMs = 50;

/** The reference application on the embedded broker: one range, and the end. */
export async function runRange({ start, end }: Range, flags: StartFlags): Promise<void> {
  const { embeddedInference, runDefaults } = await import("millrace/topologies/embedded-inference");
  const logger = terminalLogger(flags);
  const { engine, drainMs } = flags;
  const topology = embeddedInference({ sink: "console", write: writeLine, engine, logger });
  const broker = memoryBroker();
  const { applicationId, groupId } = runDefaults;
  const app = new StreamsApp(topology, { applicationId, groupId, broker, logger, tracing: openTelemetry() });
  await app.start();
  await serve(app, drainMs, () => {
    const value = encoder.encode(JSON.stringify({ start_idx: start, end_idx: end }));
    broker.publish([{ topic: "INFERENCE", key: null, value, headers: [], timestamp: Date.now() }]);
    return Promise.resolve(1);
  });
}

/** The reference application and its page in one process: runs [0, 10), then what is asked for, until a signal comes. */
export async function runPage(flags: StartFlags): Promise<void> {
  const { embeddedInference, predictionLines, predictionSchema, runDefaults } =
    await import("millrace/topologies/embedded-inference");
  const { imageClassifier } = await import("millrace/model");
  const logger = terminalLogger(flags);
  const { engine, drainMs } = flags;
  const { applicationId, groupId, pubsubTopics } = runDefaults;
  const { broker } = await chooseBroker(flags, pubsubTopics);
  const gallery = await loadTestGallery(logger);
  const topology = embeddedInference({ classifier: imageClassifier({ images: gallery.images, engine, logger }) });
  const app = new StreamsApp(topology, { applicationId, groupId, broker, logger, tracing: openTelemetry() });
  const options = {
    sessions: { [flags.broker]: broker },
    gallery,
    groupId: `${groupId}-results`,
    app,
  };
  const server = await triggerServer(options, logger);
  app.results("infer").subscribe(({ value }) => {
    void writeLine(predictionLines(predictionSchema.parse(value), Date.now()));
  });
  const address = await listen(server, flags);
  try {
    await app.start();
    await writeLine(`${address} shows what runs here`);
    await serve(app, drainMs, async (stopped) => {
      await runFirst(server, stopped);
      await untilStopped(stopped);
      return 0;
    });
  } finally {
    await server.close();
  }
}

/** Asks for [0, 10) as a client would, once the broker can be reached. */
async function runFirst(server: FastifyInstance, stopped: AbortSignal): Promise<void> {
  const token = tokenOf();
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  // Asked for earlier, it would be refused, and the page would open with a run that failed.
  while ((await server.inject("/readyz")).statusCode !== 200) {
    await setTimeout(lookMs, undefined, { signal: stopped }).catch(() => {});
    if (stopped.aborted) return;
  }
  await server.inject({ method: "POST", url: "/runs", headers, body: firstRange });
}
