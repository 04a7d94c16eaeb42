import type { AddressInfo } from "node:net";
import fastify, { type FastifyInstance } from "fastify";
import { StreamsApp } from "millrace";
import { memoryBroker } from "millrace/memory";
import { drawGarments, imageClassifier, imageSide, labels } from "millrace/model";
import { trigger, type Gallery, type TriggerOptions } from "millrace/service";
import { embeddedInference } from "millrace/topologies/embedded-inference";
import { z } from "zod";

const drawn = drawGarments({ count: 10_000 });

/** The pictures that ranges refer to: drawn ones, as many as the topology takes. */
export const gallery: Gallery = { images: drawn.images, labels: drawn.labels, names: labels, side: imageSide };

export const runSchema = z.object({
  id: z.string(),
  broker: z.string(),
  status: z.enum(["queued", "running", "done", "failed"]),
  start_idx: z.number(),
  end_idx: z.number(),
  done: z.number(),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
  predictions: z.array(z.string().nullable()).default([]),
  scores: z.array(z.number().nullable()).default([]),
});
export const pageSchema = z.object({ runs: z.array(runSchema), next: z.string().nullable() });
export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number(),
  detail: z.string(),
  errors: z.array(z.object({ at: z.string(), message: z.string() })).optional(),
});

export type RunView = z.infer<typeof runSchema>;

/** The embedded broker with the reference topology and the committed network on drawn images, for all the servers of a file. */
export interface Backend {
  readonly broker: ReturnType<typeof memoryBroker>;
  readonly app: StreamsApp;
  /** Writes a record as somebody else would. */
  publish(topic: string, value: unknown, headers?: Readonly<Record<string, string>>): void;
  close(): Promise<void>;
}

const encoder = new TextEncoder();

export async function startBackend(): Promise<Backend> {
  const broker = memoryBroker({ partitions: 3 });
  const topology = embeddedInference({ classifier: imageClassifier({ images: gallery.images }) });
  const app = new StreamsApp(topology, { applicationId: "embedded-inference", broker });
  await app.start();
  return {
    broker,
    app,
    publish: (topic, value, headers = {}) => {
      const list = Object.entries(headers).map(([name, text]) => [name, encoder.encode(text)] as const);
      const bytes = encoder.encode(typeof value === "string" ? value : JSON.stringify(value));
      broker.publish([{ topic, key: null, value: bytes, headers: list, timestamp: Date.now() }]);
    },
    close: async () => {
      await app.close({ drainMs: 5_000 });
    },
  };
}

/** A server with nothing but the trigger, ready for `inject`. */
export async function startServer(
  options: TriggerOptions,
  { prefix = "" }: { readonly prefix?: string } = {},
): Promise<FastifyInstance> {
  const server = fastify();
  await server.register(trigger, { prefix, ...options });
  await server.ready();
  return server;
}

/** Listens on loopback. @returns its address, `http://127.0.0.1:port` */
export async function listening(server: FastifyInstance): Promise<string> {
  if (!server.server.listening) await server.listen({ host: "127.0.0.1", port: 0 });
  return `http://127.0.0.1:${(server.server.address() as AddressInfo).port}`; // a TCP server's
}

export async function postRun(server: FastifyInstance, body: object, wait = "20s"): Promise<RunView> {
  const answer = await server.inject({ method: "POST", url: `/runs?wait=${wait}`, body });
  return runSchema.parse(answer.json());
}
