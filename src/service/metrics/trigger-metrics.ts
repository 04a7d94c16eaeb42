import type { FastifyInstance, FastifyReply } from "fastify";
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { Runs } from "../runs.ts";

const requestBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const runBuckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** Counts the requests of this server and of what is registered in it from now on. */
export function registerHttpMetrics(registry: Registry, server: FastifyInstance): void {
  const registers = [registry];
  const duration = new Histogram({
    name: "http_request_duration_seconds",
    help: "Time from a request to the end of its answer; streams of events are counted apart.",
    labelNames: ["method", "route", "status_code"],
    buckets: requestBuckets,
    registers,
  });
  const open = new Gauge({
    name: "millrace_trigger_event_streams",
    help: "Streams of events that are open.",
    registers,
  });
  const opened = new Counter({
    name: "millrace_trigger_event_streams_opened_total",
    help: "Streams of events that were opened.",
    registers,
  });
  server.addHook("onSend", async (_, reply) => {
    if (!streamsEvents(reply)) return;
    open.inc();
    opened.inc();
    reply.raw.once("close", () => open.dec());
  });
  server.addHook("onResponse", async ({ method, routeOptions }, reply) => {
    if (streamsEvents(reply)) return;
    // The pattern, not the path: paths have ids in them, and strangers choose them.
    const route = routeOptions.url ?? "unmatched";
    duration.observe({ method, route, status_code: reply.statusCode }, reply.elapsedTime / 1_000);
  });
}

/** Counts the runs that are started here, and what becomes of them. */
export function registerRunMetrics(registry: Registry, runs: Runs, brokers: readonly string[]): void {
  const registers = [registry];
  const started = new Counter({
    name: "millrace_trigger_runs_started_total",
    help: "Runs that were started here.",
    labelNames: ["broker"],
    registers,
  });
  const ended = new Histogram({
    name: "millrace_trigger_run_duration_seconds",
    help: "Time from the start of a run to its last answer, or its failure.",
    labelNames: ["broker", "status"],
    buckets: runBuckets,
    registers,
  });
  for (const broker of brokers) {
    started.inc({ broker }, 0);
    for (const status of ["done", "failed"]) ended.zero({ broker, status });
  }
  const known = new WeakSet<object>();
  const finished = new WeakSet<object>();
  runs.events.subscribe((event) => {
    if (event.kind !== "run" || !event.run.ours) return;
    const { run } = event;
    const { broker, status, createdAt, finishedAt } = run;
    if (!known.has(run)) started.inc({ broker });
    known.add(run);
    if (finishedAt === undefined || finished.has(run)) return;
    finished.add(run);
    ended.observe({ broker, status }, (finishedAt - createdAt) / 1_000);
  });
}

function streamsEvents(reply: FastifyReply): boolean {
  return String(reply.getHeader("content-type")).startsWith("text/event-stream");
}
