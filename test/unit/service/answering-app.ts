import fastify, { type FastifyInstance } from "fastify";
import { z } from "zod";
import type { MemoryBroker } from "../../../src/brokers/memory/index.ts";
import { jsonSerde } from "../../../src/core/serde.ts";
import type { StreamsAppOptions } from "../../../src/runtime/options.ts";
import { StreamsApp } from "../../../src/runtime/streams-app.ts";
import { trigger, type TriggerOptions } from "../../../src/service/index.ts";
import { StreamsBuilder } from "../../../src/topology/streams-builder.ts";

const request = z.object({ start_idx: z.number(), end_idx: z.number() });

/** Each image of a batch is a bag; the batch waits for `gate`. */
export interface Answering extends Partial<StreamsAppOptions> {
  readonly gate?: () => Promise<void>;
}

/** An app that answers runs of the trigger, ten images to a slice, 64 to a batch. */
export function answeringApp(broker: MemoryBroker, { gate, ...options }: Answering = {}): StreamsApp {
  const builder = new StreamsBuilder();
  builder
    .stream("INFERENCE", { name: "source", value: jsonSerde(request), onError: "DEAD_LETTER" })
    .flatMapValues(slices, { name: "decode" })
    .batch({ maxSize: 64, rows: ({ start_idx: start, end_idx: end }) => end - start })
    .mapBatch(
      async (ranges) => {
        await gate?.();
        return ranges.map((range) => answer(range.start_idx, range.end_idx));
      },
      { name: "infer" },
    )
    .to("PREDICTIONS", { name: "sink", value: jsonSerde() });
  return new StreamsApp(builder.build(), { applicationId: "embedded-inference", broker, ...options });
}

function* slices({ start_idx: start, end_idx: end }: z.infer<typeof request>): Generator<z.infer<typeof request>> {
  for (let from = start; from < end; from += 10) yield { start_idx: from, end_idx: Math.min(from + 10, end) };
}

function answer(start: number, end: number): object {
  const count = end - start;
  return {
    start_idx: start,
    predictions: new Array<string>(count).fill("Bag"),
    scores: new Array<number>(count).fill(1),
  };
}

/** A server with the trigger, whose channel to the broker is open. */
export async function triggerOn(broker: MemoryBroker, options: Partial<TriggerOptions> = {}): Promise<FastifyInstance> {
  const server = fastify({ forceCloseConnections: true });
  await server.register(trigger, { sessions: { memory: broker }, docs: false, ...options });
  await server.ready();
  return server;
}

/** Asks for a run and waits for its answer. */
export async function runOf(server: FastifyInstance, end: number, headers: Record<string, string> = {}): Promise<void> {
  const body = { start_idx: 0, end_idx: end };
  const response = await server.inject({ method: "POST", url: "/runs?wait=10s", headers, body });
  if (response.statusCode !== 200) throw new Error(`${response.statusCode} ${response.body}`);
}
