import { randomUUID } from "node:crypto";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import { StreamsApp } from "millrace";
import { imageClassifier } from "millrace/model";
import { openTelemetry } from "millrace/opentelemetry";
import { embeddedInference } from "millrace/topologies/embedded-inference";
import { describe, expect, test } from "vitest";
import { until } from "../../scripts/brokers/until.ts";
import { registerSdk } from "../unit/service/tracing-sdk.ts";
import { gallery, startServer } from "./service-fixture.ts";
import { places, ready } from "./service-places.ts";

const exporter = registerSdk();
const traceId = "0af7651916cd43dd8448eb211c80319c";

for (const { name, missing, open } of places) {
  describe.skipIf(missing)(`a run on ${name}`, () => {
    test("is one trace, from the request's traceparent to the result that comes back, and its batch links to it", async () => {
      exporter.reset();
      const id = `tracing-${randomUUID()}`;
      const topics = { input: `${id}-in`, output: `${id}-out`, deadLetters: `${id}.dlq` };
      const { broker, client } = open();
      const classifier = imageClassifier({ images: gallery.images });
      const topology = embeddedInference({ input: topics.input, output: topics.output, classifier });
      const app = new StreamsApp(topology, { applicationId: id, broker: broker(), tracing: openTelemetry() });
      await app.start();
      const server = await startServer({ sessions: { [name]: broker() }, topics });
      await ready(server);
      const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-01` };
      const body = { start_idx: 0, end_idx: 2 };
      expect((await server.inject({ method: "POST", url: "/runs?wait=20s", headers, body })).statusCode).toBe(200);

      const steps = [
        `send ${topics.input}`,
        `process ${topics.input}`,
        `send ${topics.output}`,
        `process ${topics.output}`,
      ];
      const span = (step: string): ReadableSpan | undefined =>
        exporter.getFinishedSpans().find((one) => one.name === step && one.spanContext().traceId === traceId);
      await until(() => steps.every((step) => span(step) !== undefined), {
        what: () =>
          `the steps of the trace: ${exporter
            .getFinishedSpans()
            .map((one) => one.name)
            .join(", ")}`,
        ms: 10_000,
      });
      const [sent, processed, answered, received] = steps.map(span);
      expect(sent?.parentSpanContext?.spanId).toBe("b7ad6b7169203331");
      expect(processed?.parentSpanContext?.spanId).toBe(sent?.spanContext().spanId);
      expect(answered?.parentSpanContext?.spanId).toBe(processed?.spanContext().spanId);
      expect(received?.parentSpanContext?.spanId).toBe(answered?.spanContext().spanId);
      const batch = exporter.getFinishedSpans().find((one) => one.name === "batch infer");
      expect(batch?.links.map(({ context }) => context.spanId)).toEqual([processed?.spanContext().spanId]);
      await server.close();
      await app.close({ drainMs: 5_000 });
      await client.close();
    });
  });
}
