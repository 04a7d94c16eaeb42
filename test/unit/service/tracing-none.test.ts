import { expect, test } from "vitest";
import { memoryBroker } from "../../../src/brokers/memory/index.ts";
import { openTelemetry } from "../../../src/opentelemetry/index.ts";
import { answeringApp, runOf, triggerOn } from "./answering-app.ts";

test("without an SDK nothing is traced, and no header is added", async () => {
  expect(openTelemetry()).toBeUndefined();
  const broker = memoryBroker();
  await using app = answeringApp(broker, { tracing: openTelemetry() });
  await app.start();
  const server = await triggerOn(broker);
  await runOf(server, 5, { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" });
  await server.close();

  const names = ["INFERENCE", "PREDICTIONS"].map((topic) =>
    broker.records(topic).flatMap(({ headers }) => headers.map(([name]) => name)),
  );
  expect(names).toEqual([["run_id"], ["run_id", "millrace-id"]]);
});
