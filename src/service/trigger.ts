import formbody from "@fastify/formbody";
import helmet from "@fastify/helmet";
import rateLimit from "@fastify/rate-limit";
import type { FastifyInstance } from "fastify";
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from "fastify-type-provider-zod";
import { Registry } from "prom-client";
import type { StreamsApp } from "../runtime/streams-app.ts";
import { Desk } from "./desk.ts";
import { EventLog } from "./event-log.ts";
import { refuseForeign, requireToken } from "./guard.ts";
import { health } from "./health.ts";
import { metrics } from "./metrics/index.ts";
import { registerHttpMetrics, registerRunMetrics } from "./metrics/trigger-metrics.ts";
import { describeForOthers, openApi } from "./open-api.ts";
import { triggerSettings, type TriggerOptions } from "./options.ts";
import { answerProblem, Problem } from "./problems.ts";
import { eventRoutes } from "./routes/events.ts";
import { otherMethods } from "./routes/other-methods.ts";
import { pageRoutes } from "./routes/page.ts";
import { pictureRoutes } from "./routes/pictures.ts";
import { pushRoutes } from "./routes/push.ts";
import { maxBodyBytes } from "./routes/routes.ts";
import { runRoutes } from "./routes/runs.ts";
import { topologyRoutes } from "./routes/topology.ts";
import { LiveStats } from "./stats.ts";

/**
 * The trigger as a Fastify plugin: `app.register(trigger, { prefix: "/inference", sessions: { kafka: kafkaBroker(…) } })`.
 *
 * Starts runs by HTTP, publishes them to a broker, reads their answers back and shows them. Encapsulated: headers, limits and error answers are those of its
 * own routes; it logs through the server's logger, opens its sessions when the server gets ready, and closes them with it. A broker that is away does not
 * keep the server from starting: its requests get 503 meanwhile.
 *
 * Errors: `ERR_CONFIG` at registration, for an option out of range.
 */
export async function trigger(server: FastifyInstance, options: TriggerOptions): Promise<void> {
  const settings = triggerSettings(options);
  const desk = new Desk(settings, server.log);
  const log = new EventLog(desk.runs);
  const stats = new LiveStats(desk.runs, settings.app);
  server.addHook("onReady", async () => desk.open());
  server.addHook("preClose", async () => {
    log.close(); // ends the streams of events: the server waits for them
    stats.close();
    desk.stop();
  });
  server.addHook("onClose", () => desk.close());

  server.setValidatorCompiler(validatorCompiler);
  server.setSerializerCompiler(serializerCompiler);
  server.setErrorHandler(answerProblem);
  await protect(server, settings.token, settings.maxRunsPerMinute);
  if (settings.metrics) await measure(server, desk, settings.app);
  server.removeContentTypeParser("text/plain");
  if (!server.hasContentTypeParser(formType)) await server.register(formbody, { bodyLimit: maxBodyBytes });
  describeForOthers(server);
  if (settings.docs) await openApi(server, settings.token !== undefined);
  await server.register(health, {
    ...(settings.app !== undefined && { app: settings.app }),
    problems: () => desk.problems,
  });

  const routes = [
    runRoutes(desk),
    pushRoutes(desk),
    pictureRoutes(desk),
    eventRoutes(desk, log, stats),
    pageRoutes(desk),
  ];
  if (settings.app !== undefined) routes.push(topologyRoutes(settings.app));
  const refuse = otherMethods(server);
  await server.register(async (scope) => {
    for (const add of routes) add(scope.withTypeProvider<ZodTypeProvider>(), server.prefix);
  });
  refuse();
}

const formType = "application/x-www-form-urlencoded";

/** `/metrics`: of the process, of the app if it runs here, and of what is served. */
async function measure(server: FastifyInstance, desk: Desk, app: StreamsApp | undefined): Promise<void> {
  const registry = new Registry();
  registerHttpMetrics(registry, server);
  registerRunMetrics(registry, desk.runs, desk.brokers);
  await server.register(metrics, { registry, ...(app !== undefined && { apps: [app] }) });
}

/** Who may ask, how often, and what a browser may do with the answer. */
async function protect(server: FastifyInstance, token: string | undefined, maxRunsPerMinute: number): Promise<void> {
  await server.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'", "data:", "blob:"],
        connectSrc: ["'self'"],
        formAction: ["'self'"],
        baseUri: ["'self'"],
        frameAncestors: ["'none'"],
      },
    },
    // `no-referrer` would have browsers send `Origin: null` with the form.
    referrerPolicy: { policy: "same-origin" },
    // Served over plain HTTP on loopback by default: who puts TLS in front decides about HSTS there.
    strictTransportSecurity: false,
  });
  if (token !== undefined) {
    const check = requireToken(token);
    server.addHook("onRequest", async (request) => {
      if (request.routeOptions.config.open !== true) check(request);
    });
  }
  server.addHook("onRequest", async (request) => {
    if (request.routeOptions.config.starts === true) refuseForeign(request);
  });
  if (maxRunsPerMinute === 0) return;
  await server.register(rateLimit, {
    max: maxRunsPerMinute,
    timeWindow: "1 minute",
    allowList: (request) => request.routeOptions.config.starts !== true,
    errorResponseBuilder: (_, { after, max }) =>
      new Problem(429, "Too many requests", `at most ${max} a minute; try again in ${after}`),
  });
}
