import fastify from "fastify";
import type { FastifyInstance } from "fastify";
import { describe, expect, test } from "vitest";
import { memoryBroker } from "../../../src/brokers/memory/index.ts";
import { metrics } from "../../../src/service/index.ts";
import { answeringApp, runOf, triggerOn } from "./answering-app.ts";

const node = (name: string): string => `application_id="embedded-inference",processor_node_id="${name}"`;

/** Samples by name and labels, as they are written. */
async function scrape(server: FastifyInstance): Promise<ReadonlyMap<string, number>> {
  const { body } = await server.inject("/metrics");
  return new Map(
    body
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]),
  );
}

describe("GET /metrics of a trigger", () => {
  test("shows what the nodes and the app did", async () => {
    const broker = memoryBroker();
    await using app = answeringApp(broker);
    await app.start();
    const server = await triggerOn(broker, { app });
    await runOf(server, 30);
    broker.publish([{ topic: "INFERENCE", key: null, value: new Uint8Array([1]), headers: [], timestamp: Date.now() }]);
    await app.whenSettled(2);
    const samples = await scrape(server);
    await server.close();

    const nodeMetrics = "kafka_streams_stream_processor_node_metrics";
    expect(samples.get(`${nodeMetrics}_process_total{${node("source")}}`)).toBe(2);
    expect(samples.get(`${nodeMetrics}_process_total{${node("infer")}}`)).toBe(3);
    expect(samples.get(`${nodeMetrics}_record_e2e_latency_seconds_count{${node("sink")}}`)).toBe(3);
    expect(samples.get(`${nodeMetrics}_record_e2e_latency_seconds_bucket{${node("sink")},le="60"}`)).toBe(3);
    expect(samples.has(`${nodeMetrics}_record_e2e_latency_seconds_count{${node("infer")}}`)).toBe(false);
    expect(samples.get(`${nodeMetrics}_process_latency_seconds_count{${node("infer")}}`)).toBe(1);
    expect(samples.get(`millrace_batch_rows_bucket{${node("infer")},le="16"}`)).toBe(0);
    expect(samples.get(`millrace_batch_rows_bucket{${node("infer")},le="32"}`)).toBe(1);
    expect(samples.get(`millrace_batch_rows_sum{${node("infer")}}`)).toBe(30);
    expect(samples.get(`millrace_node_errors_total{${node("source")}}`)).toBe(1);
    const label = 'application_id="embedded-inference"';
    expect(samples.get(`millrace_dead_letters_total{${label}}`)).toBe(1);
    expect(samples.get(`millrace_deliveries_settled_total{${label}}`)).toBe(2);
    expect(samples.get(`millrace_deliveries_in_flight{${label}}`)).toBe(0);
    expect(samples.get(`millrace_oldest_in_flight_age_seconds{${label}}`)).toBe(0);
    expect(samples.get(`kafka_streams_stream_metrics_state{${label},state="RUNNING"}`)).toBe(1);
    expect(samples.get(`kafka_streams_stream_metrics_state{${label},state="ERROR"}`)).toBe(0);
    const lag = `kafka_consumer_consumer_fetch_manager_metrics_records_lag{${label},topic="INFERENCE",partition="0"}`;
    expect(samples.get(lag)).toBe(0);
    expect(samples.get('millrace_trigger_runs_started_total{broker="memory"}')).toBe(1);
    expect(samples.get('millrace_trigger_run_duration_seconds_count{broker="memory",status="done"}')).toBe(1);
  });

  test("shows what is under way, and for how long", async () => {
    const broker = memoryBroker();
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => (open = resolve));
    await using app = answeringApp(broker, { gate: () => gate });
    await app.start();
    const server = await triggerOn(broker, { app });
    const run = runOf(server, 100);
    await expect.poll(() => app.metrics.nodes.get("infer")?.running).toBe(1);
    const age = async (): Promise<number | undefined> =>
      (await scrape(server)).get('millrace_oldest_in_flight_age_seconds{application_id="embedded-inference"}');
    await expect.poll(age).toBeGreaterThan(0.02);
    const samples = await scrape(server);
    open();
    await run;
    await server.close();

    expect(samples.get('millrace_deliveries_in_flight{application_id="embedded-inference"}')).toBe(1);
    expect(samples.get(`millrace_node_queued_rows{${node("infer")}}`)).toBe(40);
    // A call that has not ended counts.
    expect(samples.get(`millrace_node_busy_seconds_total{${node("infer")}}`)).toBeGreaterThan(0);
    expect(samples.get(`millrace_node_busy_ratio{${node("infer")}}`)).toBeGreaterThan(0);
  });

  test("names routes by their pattern, whatever is asked for", async () => {
    const server = await triggerOn(memoryBroker());
    for (const url of ["/runs/1", "/runs/2", "/runs/3", "/nothing/here?x=1"]) await server.inject(url);
    const samples = await scrape(server);
    await server.close();

    const requests = [...samples.keys()].filter((name) => name.startsWith("http_request_duration_seconds_count"));
    expect(requests).toEqual(['http_request_duration_seconds_count{method="GET",route="/runs/:id",status_code="404"}']);
    expect(samples.get(requests[0] ?? "")).toBe(3);
  });

  test("counts streams of events apart", async () => {
    const server = await triggerOn(memoryBroker());
    const address = await server.listen({ port: 0 });
    const abort = new AbortController();
    const response = await fetch(`${address}/events`, { signal: abort.signal });
    const open = async (): Promise<number | undefined> => (await scrape(server)).get("millrace_trigger_event_streams");
    expect(await open()).toBe(1);
    abort.abort();
    await response.text().catch(() => {});
    await expect.poll(open).toBe(0);
    const samples = await scrape(server);
    await server.close();

    expect(samples.get("millrace_trigger_event_streams_opened_total")).toBe(1);
    expect([...samples.keys()].filter((name) => name.includes('route="/events"'))).toEqual([]);
  });

  test("wants the token that the rest wants", async () => {
    const server = await triggerOn(memoryBroker(), { token: "secret" });
    expect((await server.inject("/metrics")).statusCode).toBe(401);
    const headers = { authorization: "Bearer secret" };
    expect((await server.inject({ url: "/metrics", headers })).statusCode).toBe(200);
    await server.close();
  });

  test("can be left out", async () => {
    const server = await triggerOn(memoryBroker(), { metrics: false });
    expect((await server.inject("/metrics")).statusCode).toBe(404);
    await server.close();
  });
});

test("a server of one's own shows several apps, without the process if so asked", async () => {
  const broker = memoryBroker();
  const apps = ["one", "two"].map((applicationId) => answeringApp(broker, { applicationId }));
  const server = fastify();
  await server.register(metrics, { apps, process: false });
  const samples = await scrape(server);
  await server.close();

  for (const id of ["one", "two"]) {
    expect(samples.get(`kafka_streams_stream_metrics_state{application_id="${id}",state="CREATED"}`)).toBe(1);
  }
  expect([...samples.keys()].filter((name) => /^(process|nodejs)_/.test(name))).toEqual([]);
});

test("names are as Prometheus wants them", async () => {
  const broker = memoryBroker();
  await using app = answeringApp(broker);
  const server = await triggerOn(broker, { app });
  const { body, headers } = await server.inject("/metrics");
  await server.close();

  expect(headers["content-type"]).toMatch(/^text\/plain; version=0\.0\.4/);
  const types = [...body.matchAll(/^# TYPE (\S+) (\S+)$/gm)].filter(([, name = ""]) => !name.startsWith("nodejs_"));
  expect(types.length).toBeGreaterThan(25);
  for (const [, name = "", type] of types) {
    expect(body, name).toMatch(new RegExp(`^# HELP ${name} \\S.*\\.$`, "m"));
    expect(name).toMatch(/^[a-z][a-z0-9_]*$/);
    expect(name.endsWith("_total"), name).toBe(type === "counter");
    expect(name).not.toMatch(/milliseconds|_ms\b|minutes|kilobytes|_(count|sum|bucket)$/);
    if (/_latency|_duration|_age|_busy_seconds/.test(name)) expect(name).toMatch(/_seconds(_total)?$/);
  }
});
