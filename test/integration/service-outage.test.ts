import { randomUUID } from "node:crypto";
import type { FastifyInstance, LightMyRequestResponse } from "fastify";
import { kafkaBroker } from "millrace/kafka";
import { memoryBroker } from "millrace/memory";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { startKafka, type KafkaCluster, type KafkaNode } from "../../scripts/brokers/kafka.ts";
import { until } from "../../scripts/brokers/until.ts";
import { kafkaBrokers } from "../brokers/addresses.ts";
import { plainKafka, skipped } from "./plain-clients.ts";
import { problemSchema, runSchema, startServer } from "./service-fixture.ts";

const readySchema = z.object({ status: z.string(), reasons: z.record(z.string(), z.string()).optional() });

describe.skipIf(kafkaBrokers() === undefined && skipped("the service without its broker (there is no Kafka)"))(
  "a broker that is away",
  () => {
    let kafka: KafkaCluster;
    let node: KafkaNode;
    let server: FastifyInstance;
    const id = `outage-${randomUUID()}`;
    const topics = { input: `${id}-in`, output: `${id}-out`, deadLetters: `${id}.dlq` };

    beforeAll(async () => {
      kafka = await startKafka();
      [node] = kafka.nodes as [KafkaNode]; // it has one
      await node.kill("SIGKILL");
      const broker = kafkaBroker({
        brokers: kafka.brokers,
        createTopics: { partitions: 2, replicationFactor: 1 },
        connectTimeoutMs: 1_000,
        sessionTimeoutMs: 6_000,
      });
      const sessions = { kafka: broker, memory: memoryBroker() };
      server = await startServer({ sessions, topics, publishTimeoutMs: 1_000, maxRunsPerMinute: 0 });
    });
    afterAll(async () => {
      await server.close();
      await kafka.stop();
    });

    const post = (broker: string): Promise<LightMyRequestResponse> =>
      server.inject({ method: "POST", url: "/runs", body: { broker, start_idx: 0, end_idx: 1 } });
    const ready = async (): Promise<z.infer<typeof readySchema>> =>
      readySchema.parse((await server.inject("/readyz")).json());

    async function expectAway(): Promise<void> {
      const refused = await post("kafka");
      expect(refused.statusCode).toBe(503);
      expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
      expect(problemSchema.parse(refused.json())).toMatchObject({
        title: "The broker can't be reached",
        detail: expect.stringContaining("kafka"),
      });
      // The service lives, and its other broker too.
      expect((await server.inject("/healthz")).statusCode).toBe(200);
      expect((await post("memory")).statusCode).toBe(202);
    }

    async function expectBack(): Promise<void> {
      await until(async () => (await ready()).status === "ready", { what: "readiness", ms: 60_000 });
      expect((await server.inject("/readyz")).statusCode).toBe(200);
      const accepted = await post("kafka");
      expect(accepted.statusCode).toBe(202);
      const run = accepted.json<{ readonly id: string }>().id;
      const client = plainKafka(kafka.brokers);
      const value = '{"start_idx":0,"end_idx":1,"predictions":["Bag"],"scores":[1]}';
      await client.publish(topics.output, [{ value, headers: { run_id: run } }]);
      const answer = await server.inject(`/runs/${run}?wait=30s`);
      expect(runSchema.parse(answer.json())).toMatchObject({ status: "done", predictions: ["Bag"] });
      await client.close();
    }

    test("at the start: 503, the reason at /readyz, and all is well when it comes", async () => {
      await until(async () => /ECONNREFUSED|connect/i.test((await ready()).reasons?.["kafka"] ?? ""), {
        what: "the reason",
      });
      expect((await server.inject("/readyz")).statusCode).toBe(503);
      expect((await ready()).reasons).toEqual({ kafka: expect.stringContaining(kafka.brokers[0] ?? "") });
      await expectAway();
      await node.start();
      await expectBack();
    });

    test("later: 503, the reason at /readyz, and all is well when it returns", async () => {
      await node.kill("SIGKILL");
      await expectAway();
      await until(async () => (await ready()).reasons?.["kafka"] !== undefined, { what: "the reason", ms: 30_000 });
      await expectAway();
      await node.start();
      await expectBack();
    });

    test("a run that was refused is failed, and is done when its answer comes after all", async () => {
      await node.kill("SIGKILL");
      const refused = await post("kafka");
      expect(refused.statusCode).toBe(503);
      const { runs } = z.object({ runs: z.array(runSchema) }).parse((await server.inject("/runs?limit=1")).json());
      expect(runs[0]).toMatchObject({ broker: "kafka", status: "failed", error: { code: "ERR_BROKER" } });
      await node.start();
      await expectBack();
    });

    test("the server closes although it is away", async () => {
      await node.kill("SIGKILL");
      const broker = kafkaBroker({ brokers: kafka.brokers, connectTimeoutMs: 60_000 });
      const other = await startServer({ sessions: { kafka: broker } });
      const since = performance.now();
      await other.close();
      expect(performance.now() - since).toBeLessThan(5_000);
    });
  },
);
