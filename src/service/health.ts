import type { FastifyPluginAsync } from "fastify";
import type { StreamsApp } from "../runtime/streams-app.ts";

export interface HealthOptions {
  /** The app whose state is asked: it must be RUNNING. */
  readonly app?: StreamsApp;
  /** Further things that must be there: why they are not, by name; undefined for one that is. */
  readonly problems?: () => ReadonlyMap<string, string | undefined>;
}

/**
 * `/healthz`: 200 while the process answers. `/readyz`: 503 with reasons until all is connected and running, and again when it no longer is.
 */
export const health: FastifyPluginAsync<HealthOptions> = async (server, { app, problems }) => {
  const config = { open: true };
  server.get("/healthz", { config, schema: { hide: true } }, () => ({ status: "ok" }));
  server.get("/readyz", { config, schema: { hide: true } }, (_, reply) => {
    const reasons: Record<string, string> = {};
    if (app !== undefined && app.state !== "RUNNING") reasons["app"] = app.error?.message ?? `is ${app.state}`;
    for (const [name, problem] of problems?.() ?? []) if (problem !== undefined) reasons[name] = problem;
    const ready = Object.keys(reasons).length === 0;
    return reply.code(ready ? 200 : 503).send({ status: ready ? "ready" : "not ready", ...(!ready && { reasons }) });
  });
};
