import { monitorEventLoopDelay } from "node:perf_hooks";
import { filter, firstValueFrom } from "rxjs";
import { StreamsApp, type EngineInfo } from "millrace";
import { memoryBroker, type MemoryBroker } from "millrace/memory";
import { cnnArtifacts, drawGarments, imageClassifier } from "millrace/model";
import { onnxEngine } from "millrace/onnx";
import { embeddedInference } from "millrace/topologies/embedded-inference";
import { afterEach, expect, test } from "vitest";

const images = drawGarments({ count: 10_000 }).images;
const encoder = new TextEncoder();
let app: StreamsApp | undefined;

afterEach(async () => {
  await app?.close();
});

function request(broker: MemoryBroker, first: number, end: number): void {
  const value = encoder.encode(JSON.stringify({ start_idx: first, end_idx: end }));
  broker.publish([{ topic: "INFERENCE", key: null, value, headers: [], timestamp: 0 }]);
}

async function start(
  broker: MemoryBroker,
  options: { readonly maxSize: number; readonly sliceSize: number },
): Promise<StreamsApp> {
  const classifier = imageClassifier({ images, engine: "onnx" });
  app = new StreamsApp(embeddedInference({ classifier, ...options }), { applicationId: "test", broker });
  await app.start();
  return app;
}

test("what queues while the engine is busy is the next batch, and the event loop keeps ticking", async () => {
  const broker = memoryBroker();
  const running = await start(broker, { maxSize: 5_000, sliceSize: 5_000 });
  const node = running.metrics.nodes.get("infer");
  request(broker, 0, 1);
  await running.whenSettled(1);

  const began = performance.now();
  request(broker, 0, 5_000);
  await new Promise((resolve) => setImmediate(resolve));
  expect(node).toMatchObject({ batches: 2, running: 1 });
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  for (let index = 0; index < 300; index += 1) request(broker, index, index + 1);
  while (running.metrics.nodes.get("infer")?.queued !== 300) await new Promise((resolve) => setImmediate(resolve));
  expect(node).toMatchObject({ batches: 2, running: 1 }); // still the same run
  await running.whenSettled(302);
  delay.disable();

  expect(node).toMatchObject({ batches: 3, batchedRows: 5_301, queued: 0 });
  console.log(
    `engine busy for about ${Math.round(performance.now() - began)} ms, event loop delay at most ${Math.round(delay.max / 1e6)} ms`,
  );
  expect(delay.max / 1e6).toBeLessThan(25);
});

test("an idle app has no timer", async () => {
  const broker = memoryBroker();
  const running = await start(broker, { maxSize: 256, sliceSize: 1_000 });
  const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
  const before = timers();
  request(broker, 0, 100);
  await running.whenSettled(1);
  expect(timers()).toBe(before);
  const without = await new Promise<number>((resolve) => setImmediate(() => resolve(timers())));
  expect(without).toBe(before);
});

test("the model executes on a worker's thread", async () => {
  const engine = await onnxEngine({ model: cnnArtifacts.onnx })();
  const info: EngineInfo = engine.info;
  await engine.close();
  expect(info.isMainThread).toBe(false);
});

test("one image behind ten thousand is answered within two batches", async () => {
  const broker = memoryBroker();
  const running = await start(broker, { maxSize: 256, sliceSize: 1_000 });
  const infer = running.metrics.nodes.get("infer");
  const answers = running.results("infer").pipe(filter(({ value }) => (value as { end_idx: number }).end_idx === 6));
  request(broker, 0, 10_000);
  await new Promise((resolve) => setImmediate(resolve));
  const before = infer?.batches ?? 0;
  const answered = firstValueFrom(answers);
  request(broker, 5, 6);
  await answered;
  expect((infer?.batches ?? 0) - before).toBeLessThanOrEqual(2);
  await running.whenSettled(2);
});
