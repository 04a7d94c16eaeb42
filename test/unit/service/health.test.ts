import fastify, { type FastifyInstance } from "fastify";
import { filter, firstValueFrom } from "rxjs";
import { expect, test } from "vitest";
import { memoryBroker } from "../../../src/brokers/memory/index.ts";
import type { StreamsApp } from "../../../src/runtime/streams-app.ts";
import { health } from "../../../src/service/index.ts";
import { actions, openFixture, task } from "../engines/pool/fixture-pool.ts";
import { answeringApp } from "./answering-app.ts";

async function serving(app: StreamsApp): Promise<FastifyInstance> {
  const server = fastify();
  await server.register(health, { app });
  return server;
}

async function readiness(server: FastifyInstance): Promise<readonly [status: number, body: unknown]> {
  const response = await server.inject("/readyz");
  return [response.statusCode, response.json()];
}

function publish(broker: ReturnType<typeof memoryBroker>): void {
  const value = new TextEncoder().encode(JSON.stringify({ start_idx: 0, end_idx: 1 }));
  broker.publish([{ topic: "INFERENCE", key: null, value, headers: [], timestamp: Date.now() }]);
}

test("is ready while the app runs, alive all the time, and says why not when an engine has failed the app", async () => {
  const broker = memoryBroker();
  const app = answeringApp(broker, { gate: () => Promise.reject(new Error("the engine hangs")) });
  const server = await serving(app);
  expect(await readiness(server)).toEqual([503, { status: "not ready", reasons: { app: "is CREATED" } }]);
  await app.start();
  expect(await readiness(server)).toEqual([200, { status: "ready" }]);
  publish(broker);
  await firstValueFrom(app.states.pipe(filter((state) => state === "ERROR")));
  expect(await readiness(server)).toEqual([
    503,
    { status: "not ready", reasons: { app: "infer: the engine hangs (at memory:INFERENCE/0@0)" } },
  ]);
  expect((await server.inject("/healthz")).statusCode).toBe(200);
  await server.close();
});

test("is not ready once a run of an engine has hung: the app goes to ERROR, and nothing is acked", async () => {
  const pool = await openFixture({ maxRunMs: 50 });
  const broker = memoryBroker();
  const gate = (): Promise<void> => pool.run(task(actions.answer, 2_000)).then(() => {});
  const app = answeringApp(broker, { gate, retry: { attempts: 2, minDelayMs: 1 } });
  const server = await serving(app);
  await app.start();
  publish(broker);
  await firstValueFrom(app.states.pipe(filter((state) => state === "ERROR")));
  expect(await readiness(server)).toEqual([
    503,
    { status: "not ready", reasons: { app: expect.stringContaining("a run hangs") } },
  ]);
  expect(broker.committed("embedded-inference", "INFERENCE", 0) ?? 0).toBe(0);
  await server.close();
  await pool.close();
});

test("is not ready while session and pipeline are replaced, and ready again after it", async () => {
  const broker = memoryBroker();
  let calls = 0;
  const gate = (): Promise<void> => {
    calls += 1;
    return calls === 1 ? Promise.reject(new Error("the engine hangs")) : Promise.resolve();
  };
  await using app = answeringApp(broker, { gate, errors: { uncaught: () => "RETRY" }, retry: { minDelayMs: 1 } });
  const server = await serving(app);
  await app.start();
  const meanwhile = firstValueFrom(app.states.pipe(filter((state) => state === "REBALANCING"))).then(() =>
    readiness(server),
  );
  publish(broker);
  expect(await meanwhile).toEqual([503, { status: "not ready", reasons: { app: "is REBALANCING" } }]);
  await app.whenSettled(1);
  expect(await readiness(server)).toEqual([200, { status: "ready" }]);
  await server.close();
});
