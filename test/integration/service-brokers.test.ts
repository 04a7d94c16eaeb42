import { randomUUID } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { StreamsApp } from "millrace";
import { imageClassifier } from "millrace/model";
import { embeddedInference } from "millrace/topologies/embedded-inference";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../../scripts/brokers/until.ts";
import type { Message } from "./plain-clients.ts";
import { gallery, pageSchema, postRun, runSchema, startServer } from "./service-fixture.ts";
import { places, ready } from "./service-places.ts";

for (const { name, missing, open } of places) {
  describe.skipIf(missing)(`the service on ${name}`, () => {
    const id = `service-${randomUUID()}`;
    const topics = { input: `${id}-in`, output: `${id}-out`, deadLetters: `${id}.dlq` };
    const { broker, client } = open();
    let app: StreamsApp;
    let server: FastifyInstance;
    let written: readonly Required<Message>[];

    beforeAll(async () => {
      const { input, output } = topics;
      const topology = embeddedInference({ input, output, classifier: imageClassifier({ images: gallery.images }) });
      app = new StreamsApp(topology, { applicationId: id, broker: broker() });
      await app.start();
      written = await client.collect(output);
      // One image more than there are: what the topology dead-letters can be asked for.
      server = await startServer({ sessions: { [name]: broker() }, topics, images: 10_001 });
      await ready(server);
    });
    afterAll(async () => {
      await server.close();
      await app.close({ drainMs: 5_000 });
      await client.close();
    });

    test("answers the very first run, as soon as it says that it is ready", async () => {
      for (let count = 0; count < 3; count += 1) {
        const fresh = await startServer({ sessions: { [name]: broker() }, topics });
        await ready(fresh);
        expect(await postRun(fresh, { start_idx: count, end_idx: count + 2 })).toMatchObject({
          status: "done",
          broker: name,
          done: 2,
        });
        await fresh.close();
      }
    });

    test("run_id comes back on the result topic", async () => {
      const run = await postRun(server, { start_idx: 10, end_idx: 12 });
      const mine = (): Required<Message> | undefined => written.find(({ headers }) => headers["run_id"] === run.id);
      await until(() => mine() !== undefined, { what: "the result" });
      const sent: unknown = JSON.parse(mine()?.value ?? "");
      expect(sent).toMatchObject({ start_idx: 10, end_idx: 12, predictions: run.predictions });
    });

    test.each(["GET", "POST"] as const)("%s push-to-consumer answers as the predecessor did", async (method) => {
      const answer = await server.inject({ method, url: `/${name}/push-to-consumer?start_idx=0&end_idx=1` });
      expect(answer.statusCode).toBe(200);
      expect(answer.body).toBe(`{"message_queue":"${name}","start_idx":0,"end_idx":1}`);
      const [run] = pageSchema.parse((await server.inject("/runs?limit=1")).json()).runs;
      const read = await server.inject(`/runs/${run?.id}?wait=20s`);
      expect(runSchema.parse(read.json())).toMatchObject({ status: "done", predictions: [expect.any(String)] });
    });

    test("a long range, whose slices come in any order, adds up", async () => {
      expect(await postRun(server, { start_idx: 0, end_idx: 10_000 }, "60s")).toMatchObject({
        status: "done",
        done: 10_000,
      });
    });

    test("many runs at once each get their own answer", async () => {
      const runs = await Promise.all(
        Array.from({ length: 50 }, (_, index) => postRun(server, { start_idx: index, end_idx: index + 1 }, "60s")),
      );
      expect(runs.map(({ status, start_idx }) => [status, start_idx])).toEqual(runs.map((_, index) => ["done", index]));
    });

    test("a request that can't be answered fails with the reason", async () => {
      const run = await postRun(server, { start_idx: 0, end_idx: 10_001 });
      expect(run).toMatchObject({ status: "failed", error: { code: "ERR_DECODE" } });
      expect(run.error?.message).toMatch(/end_idx/);
    });

    test("runs that others published appear, with an id and without", async () => {
      await client.publish(topics.input, [
        { value: '{"start_idx":20,"end_idx":22}', headers: { run_id: `theirs-${name}` } },
        { headers: { start_idx: "30", end_idx: "33" } },
      ]);
      const found = async (): Promise<readonly [number, number][]> => {
        const { runs } = pageSchema.parse((await server.inject("/runs")).json());
        return runs.map(({ start_idx, done }) => [start_idx, done]);
      };
      await until(async () => (await server.inject(`/runs/theirs-${name}`)).statusCode === 200, { what: "theirs" });
      await until(async () => (await found()).some(([start, done]) => start === 30 && done === 3), {
        what: "the other",
      });
    });
  });
}
