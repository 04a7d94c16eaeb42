import type { FastifyInstance } from "fastify";
import { collectDefaultMetrics, Registry } from "prom-client";
import type { StreamsApp } from "../../runtime/streams-app.ts";
import { registerAppMetrics } from "./app-metrics.ts";
import { registerNodeMetrics } from "./node-metrics.ts";

export interface MetricsOptions {
  /** Apps of this process. Each needs an `applicationId` of its own. @default none */
  readonly apps?: readonly StreamsApp[];
  /** Whether those of the process are given, too: CPU, memory, event loop, garbage collection. @default true */
  readonly process?: boolean;
  /** Where they are registered, beside metrics of your own; names must not be taken. @default a registry of its own */
  readonly registry?: Registry;
}

/** `GET /metrics` in Prometheus' text format: `server.register(metrics, { apps: [app] })`. */
export async function metrics(server: FastifyInstance, options: MetricsOptions): Promise<void> {
  const { apps = [], process = true, registry = new Registry() } = options;
  if (apps.length > 0) {
    registerAppMetrics(registry, apps, Date.now);
    registerNodeMetrics(registry, apps, Date.now);
  }
  if (process) collectDefaultMetrics({ register: registry });
  server.get("/metrics", { schema: { hide: true } }, async (_, reply) =>
    reply.type(registry.contentType).send(await registry.metrics()),
  );
}
