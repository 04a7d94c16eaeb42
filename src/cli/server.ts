import { env } from "node:process";
import fastify, { type FastifyBaseLogger, type FastifyInstance } from "fastify";
import { ConfigError } from "../core/errors.ts";
import { trigger, type TriggerOptions } from "../service/index.ts";
import { answerProblem, Problem } from "../service/problems.ts";

export interface ServerFlags {
  readonly host: string;
  readonly port: number;
}

/** What callers must show, from `MILLRACE_TOKEN`: on the command line others could read it. */
export function tokenOf(): string | undefined {
  return env["MILLRACE_TOKEN"] || undefined;
}

/** A server with the trigger at its root. The caller listens and closes. */
export async function triggerServer(options: TriggerOptions, logger: FastifyBaseLogger): Promise<FastifyInstance> {
  const server = fastify({ loggerInstance: logger, bodyLimit: 64 * 1_024, forceCloseConnections: true });
  server.setNotFoundHandler((request, reply) =>
    answerProblem(new Problem(404, "Not found", `${request.method} ${request.url}`), request, reply),
  );
  const token = tokenOf();
  await server.register(trigger, { ...options, ...(token !== undefined && { token }) });
  return server;
}

/** Listens, and gives the address for people. Errors: `ERR_CONFIG` when the port is taken. */
export async function listen(server: FastifyInstance, { host, port }: ServerFlags): Promise<string> {
  try {
    return await server.listen({ host, port });
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE") {
      throw new ConfigError(`port ${port} of ${host} is taken: give another one with --port`, { cause });
    }
    throw cause;
  }
}
