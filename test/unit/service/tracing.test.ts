import { context, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import { beforeEach, describe, expect, test } from "vitest";
import { memoryBroker } from "../../../src/brokers/memory/index.ts";
import { headerText } from "../../../src/core/provenance.ts";
import { openTelemetry } from "../../../src/opentelemetry/index.ts";
import { answeringApp, runOf, triggerOn } from "./answering-app.ts";
import { registerSdk } from "./tracing-sdk.ts";

const exporter = registerSdk();
const traceId = "0af7651916cd43dd8448eb211c80319c";
const traceparent = `00-${traceId}-b7ad6b7169203331-01`;

function spans(name: string): readonly ReadableSpan[] {
  return exporter.getFinishedSpans().filter((span) => span.name === name);
}

function only(name: string): ReadableSpan {
  const [span, ...others] = spans(name);
  if (span === undefined || others.length > 0) {
    throw new Error(
      `expected one ${name}, got ${exporter
        .getFinishedSpans()
        .map((other) => other.name)
        .join(", ")}`,
    );
  }
  return span;
}

describe("a run is one trace", () => {
  beforeEach(() => exporter.reset());

  test("from the request's traceparent to the result that comes back", async () => {
    const broker = memoryBroker();
    await using app = answeringApp(broker, { tracing: openTelemetry() });
    await app.start();
    const server = await triggerOn(broker);
    await runOf(server, 5, { traceparent });
    await app.close();
    await server.close();

    const sent = only("send INFERENCE");
    const processed = only("process INFERENCE");
    const answered = only("send PREDICTIONS");
    const received = only("process PREDICTIONS");
    for (const span of [sent, processed, answered, received]) expect(span.spanContext().traceId).toBe(traceId);
    expect(sent.parentSpanContext?.spanId).toBe("b7ad6b7169203331");
    expect(processed.parentSpanContext?.spanId).toBe(sent.spanContext().spanId);
    expect(answered.parentSpanContext?.spanId).toBe(processed.spanContext().spanId);
    expect(received.parentSpanContext?.spanId).toBe(answered.spanContext().spanId);
    expect([sent, processed, answered, received].map(({ kind }) => kind)).toEqual([
      SpanKind.PRODUCER,
      SpanKind.CONSUMER,
      SpanKind.PRODUCER,
      SpanKind.CONSUMER,
    ]);
    expect(sent.attributes).toEqual({
      "messaging.system": "memory",
      "messaging.operation.name": "send",
      "messaging.operation.type": "send",
      "messaging.destination.name": "INFERENCE",
    });
    expect(processed.attributes).toMatchObject({
      "messaging.operation.type": "process",
      "messaging.consumer.group.name": "embedded-inference",
      "messaging.destination.partition.id": "0",
      "millrace.position": "memory:INFERENCE/0@0",
    });
  });

  test("an active span goes before the request's own header", async () => {
    const broker = memoryBroker();
    await using app = answeringApp(broker, { tracing: openTelemetry() });
    await app.start();
    const server = await triggerOn(broker);
    const http = trace.getTracer("test").startSpan("POST /runs");
    await context.with(trace.setSpan(context.active(), http), () => runOf(server, 5, { traceparent }));
    await server.close();

    expect(only("send INFERENCE").parentSpanContext?.spanId).toBe(http.spanContext().spanId);
  });

  test("a batch links to the deliveries that are in it, each once", async () => {
    const broker = memoryBroker();
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => (open = resolve));
    let calls = 0;
    await using app = answeringApp(broker, {
      tracing: openTelemetry(),
      gate: async () => {
        calls += 1;
        if (calls === 1) await gate;
      },
    });
    await app.start();
    const server = await triggerOn(broker);
    const first = runOf(server, 1);
    await expect.poll(() => calls).toBe(1);
    const others = [runOf(server, 20), runOf(server, 2)];
    await expect.poll(() => app.metrics.delivered).toBe(3);
    open();
    await Promise.all([first, ...others]);
    await server.close();

    const processed = spans("process INFERENCE").map((span) => span.spanContext().spanId);
    const batches = spans("batch infer");
    const links = batches.map((span) => span.links.map((link) => link.context.spanId));
    expect(links.map(({ length }) => length)).toEqual([1, 2]);
    expect(new Set(links.flat())).toEqual(new Set(processed));
    expect(batches[1]?.attributes).toEqual({
      "messaging.batch.message_count": 3,
      "millrace.node": "infer",
      "millrace.rows": 22,
    });
  });

  test("calls that a batch makes are in its span", async () => {
    const broker = memoryBroker();
    const gate = (): Promise<void> => {
      trace.getTracer("test").startSpan("inner").end();
      return Promise.resolve();
    };
    await using app = answeringApp(broker, { tracing: openTelemetry(), gate });
    await app.start();
    const server = await triggerOn(broker);
    await runOf(server, 5);
    await server.close();

    expect(only("inner").parentSpanContext?.spanId).toBe(only("batch infer").spanContext().spanId);
  });

  test("a dead letter's delivery has failed, and the letter goes on with the trace", async () => {
    const broker = memoryBroker();
    await using app = answeringApp(broker, { tracing: openTelemetry() });
    await app.start();
    broker.publish([{ topic: "INFERENCE", key: null, value: new Uint8Array([1]), headers: [], timestamp: Date.now() }]);
    await app.whenSettled(1);

    const processed = only("process INFERENCE");
    expect(processed.status.code).toBe(SpanStatusCode.ERROR);
    expect(processed.attributes["error.type"]).toBe("ERR_DECODE");
    const letter = only("send embedded-inference.dlq");
    expect(letter.parentSpanContext?.spanId).toBe(processed.spanContext().spanId);
    const [written] = broker.records("embedded-inference.dlq");
    expect(headerText(written?.headers ?? [], "traceparent")).toContain(letter.spanContext().spanId);
  });

  test("what is given up ends its span, too", async () => {
    const broker = memoryBroker();
    const app = answeringApp(broker, { tracing: openTelemetry(), gate: () => new Promise(() => {}) });
    await app.start();
    const value = new TextEncoder().encode('{"start_idx":0,"end_idx":1}');
    broker.publish([{ topic: "INFERENCE", key: null, value, headers: [], timestamp: Date.now() }]);
    await expect.poll(() => app.metrics.inFlight).toBe(1);
    await app.close({ drainMs: 1 });

    expect(only("process INFERENCE").attributes["error.type"]).toBe("ERR_STOPPED");
  });
});
