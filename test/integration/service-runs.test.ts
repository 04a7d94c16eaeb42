import type { FastifyInstance } from "fastify";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { until } from "../../scripts/brokers/until.ts";
import { gallery, pageSchema, postRun, runSchema, startBackend, startServer, type Backend } from "./service-fixture.ts";

let backend: Backend;
let server: FastifyInstance;

beforeAll(async () => {
  backend = await startBackend();
});
afterAll(() => backend.close());
beforeEach(async () => {
  server = await startServer({ sessions: { memory: backend.broker } });
});
afterEach(() => server.close());

async function read(url: string): Promise<ReturnType<typeof runSchema.parse>> {
  return runSchema.parse((await server.inject(url)).json());
}

/** Waits until a run that others published, or that nobody waited for, is as wanted. */
async function readUntil(url: string, is: (run: ReturnType<typeof runSchema.parse>) => boolean): Promise<void> {
  await until(
    async () => {
      const answer = await server.inject(url);
      return answer.statusCode === 200 && is(runSchema.parse(answer.json()));
    },
    { what: url },
  );
}

describe("POST /runs", () => {
  test("answers 202 with an id, a status and a Location that leads to the answer", async () => {
    const accepted = await server.inject({ method: "POST", url: "/runs", body: { start_idx: 0, end_idx: 3 } });
    expect(accepted.statusCode).toBe(202);
    const { id } = accepted.json<{ readonly id: string }>();
    expect(accepted.json()).toEqual({ id, status: "queued" });
    expect(accepted.headers.location).toBe(`/runs/${id}`);
    const run = await read(`${accepted.headers.location}?wait=20s`);
    expect(run).toMatchObject({ id, broker: "memory", status: "done", start_idx: 0, end_idx: 3, done: 3, error: null });
  });

  test("with wait answers 200 with the labels, most of which are those of the pictures", async () => {
    const answer = await server.inject({
      method: "POST",
      url: "/runs?wait=20s",
      body: { broker: "memory", start_idx: 10, end_idx: 110 },
    });
    expect(answer.statusCode).toBe(200);
    const { predictions, scores, id } = runSchema.parse(answer.json());
    expect(answer.headers.location).toBe(`/runs/${id}`);
    const truth = Array.from(gallery.labels.subarray(10, 110), (label) => gallery.names[label]);
    expect(predictions).toHaveLength(100);
    expect(predictions.filter((label, index) => label === truth[index]).length).toBeGreaterThan(80);
    expect(scores.every((score) => score !== null && score > 0 && score <= 1)).toBe(true);
  });

  test("with a wait that is too short answers 202; the answer is there later", async () => {
    const body = { start_idx: 0, end_idx: 10_000 };
    const answer = await server.inject({ method: "POST", url: "/runs?wait=1ms", body });
    expect(answer.statusCode).toBe(202);
    expect((await read(`${answer.headers.location}?wait=60s`)).status).toBe("done");
  });

  test.each(["500ms", "5s", "5", "0.5s"])("takes a wait of %s", async (wait) => {
    const answer = await server.inject({
      method: "POST",
      url: `/runs?wait=${wait}`,
      body: { start_idx: 5, end_idx: 6 },
    });
    expect([200, 202]).toContain(answer.statusCode);
  });

  test("a long range comes back in slices that add up", async () => {
    const run = await postRun(server, { start_idx: 100, end_idx: 3_600 }, "60s");
    expect(run).toMatchObject({ status: "done", done: 3_500 });
    const [short] = (await postRun(server, { start_idx: 3_599, end_idx: 3_600 })).predictions;
    expect(run.predictions.at(-1)).toBe(short);
    expect(run.predictions.every((label) => label !== null)).toBe(true);
  });

  test("a request that can't be answered fails with the reason of its dead letter", async () => {
    // The service is told of more images than the topology has.
    const wide = await startServer({ sessions: { memory: backend.broker }, images: 20_000 });
    const answer = await wide.inject({
      method: "POST",
      url: "/runs?wait=20s",
      body: { start_idx: 0, end_idx: 10_001 },
    });
    expect(answer.statusCode).toBe(200);
    const { status, error } = runSchema.parse(answer.json());
    expect(status).toBe("failed");
    expect(error).toMatchObject({ code: "ERR_DECODE" });
    expect(error?.message).toMatch(/end_idx: .*10000.*memory:INFERENCE\/\d@\d+/);
    await wide.close();
  });
});

describe("/:broker/push-to-consumer", () => {
  test.each(["GET", "POST"] as const)("%s answers as the predecessor did, to the byte", async (method) => {
    const answer = await server.inject({ method, url: "/memory/push-to-consumer?start_idx=0&end_idx=1" });
    expect(answer.statusCode).toBe(200);
    expect(answer.headers["content-type"]).toMatch(/^application\/json/);
    expect(answer.body).toBe('{"message_queue":"memory","start_idx":0,"end_idx":1}');
    const [run] = pageSchema.parse((await server.inject("/runs?limit=1")).json()).runs;
    expect(await read(`/runs/${run?.id}?wait=20s`)).toMatchObject({ status: "done", start_idx: 0, end_idx: 1 });
  });
});

describe("what others publish", () => {
  test("a result that names a run is its answer; one that comes twice changes nothing", async () => {
    const slice = { start_idx: 3, end_idx: 5, predictions: ["Bag", "Coat"], scores: [0.5, 0.25] };
    const run = { run_id: "somebody.s-1" };
    backend.publish("PREDICTIONS", slice, run);
    backend.publish("PREDICTIONS", slice, run);
    backend.publish("PREDICTIONS", { ...slice, predictions: ["Shirt", "Shirt"] }, run);
    // Of the same partition, so behind the three.
    for (let copy = 0; copy < 3; copy += 1) backend.publish("PREDICTIONS", slice, { run_id: "somebody.s-2" });
    await readUntil("/runs/somebody.s-2", ({ status }) => status === "done");
    expect(await read("/runs/somebody.s-1")).toMatchObject({
      status: "done",
      done: 2,
      predictions: ["Bag", "Coat"],
      scores: [0.5, 0.25],
    });
  });

  test("requests without an id appear, each with all its slices under one name", async () => {
    backend.publish("INFERENCE", { start_idx: 500, end_idx: 3_000 });
    let found = "";
    await until(
      async () => {
        const { runs } = pageSchema.parse((await server.inject("/runs")).json());
        const mine = runs.find(
          ({ start_idx, end_idx, done }) => start_idx === 500 && end_idx === 3_000 && done === 2_500,
        );
        found = mine?.id ?? "";
        return found !== "";
      },
      { what: "the run of a stranger" },
    );
    expect(found).toMatch(/^memory-INFERENCE-\d-\d+$/);
    expect((await read(`/runs/${found}`)).status).toBe("done");
  });

  test("slices out of order add up, and a run with a hole is not done", async () => {
    const run = { run_id: "holes" };
    const slice = (start: number): object => ({ start_idx: start, predictions: ["Bag", "Bag"], scores: [1, 1] });
    backend.publish("PREDICTIONS", slice(4), run);
    await readUntil("/runs/holes", ({ status }) => status === "done");
    backend.publish("PREDICTIONS", slice(0), run);
    await readUntil("/runs/holes", ({ start_idx }) => start_idx === 0);
    const withHole: { readonly finished_at: string | null } = (await server.inject("/runs/holes")).json();
    expect(withHole).toMatchObject({ status: "running", done: 4, finished_at: null });
    expect(withHole).toMatchObject({ predictions: ["Bag", "Bag", null, null, "Bag", "Bag"] });
    backend.publish("PREDICTIONS", slice(2), run);
    await readUntil("/runs/holes", ({ status }) => status === "done");
  });

  test.each([
    ["far beyond the set", { start_idx: 1e15, predictions: ["Bag"], scores: [1] }],
    ["no JSON", "nothing"],
    ["no result", { start_idx: 0 }],
  ])("a result that is %s changes nothing", async (name, value) => {
    const run = { run_id: `odd-${name.replaceAll(" ", "-")}` };
    backend.publish("PREDICTIONS", { start_idx: 0, predictions: ["Bag"], scores: [1] }, run);
    await readUntil(`/runs/${run.run_id}`, ({ status }) => status === "done");
    for (let copy = 0; copy < 3; copy += 1) backend.publish("PREDICTIONS", value, run);
    await postRun(server, { start_idx: 0, end_idx: 1 });
    expect(await read(`/runs/${run.run_id}`)).toMatchObject({ status: "done", start_idx: 0, end_idx: 1 });
  });
});

describe("GET /runs", () => {
  test("pages to the end without gaps or doubles while runs are added and forgotten", async () => {
    const small = await startServer({ sessions: { memory: backend.broker }, keepRuns: 40, maxRunsPerMinute: 0 });
    const begin = async (): Promise<string> => {
      const answer = await small.inject({ method: "POST", url: "/runs?wait=20s", body: { start_idx: 0, end_idx: 1 } });
      return runSchema.parse(answer.json()).id;
    };
    const ids: string[] = [];
    for (let count = 0; count < 40; count += 1) ids.unshift(await begin());
    const seen: string[] = [];
    let next: string | null = "/runs?limit=7";
    while (next !== null) {
      const page: ReturnType<typeof pageSchema.parse> = pageSchema.parse((await small.inject(next)).json());
      seen.push(...page.runs.map(({ id }) => id));
      ({ next } = page);
      for (let count = 0; count < 15; count += 1) await begin();
    }
    // What was forgotten meanwhile is the oldest; nothing else is missing.
    expect(seen).toEqual(ids.slice(0, seen.length));
    expect(seen.length).toBeGreaterThanOrEqual(14);
    await small.close();
  });

  test("an end that falls on the end of a page is the end", async () => {
    for (let count = 0; count < 4; count += 1) await postRun(server, { start_idx: 0, end_idx: 1 });
    const first = pageSchema.parse((await server.inject("/runs?limit=2")).json());
    const second = pageSchema.parse((await server.inject(first.next ?? "")).json());
    expect(second.runs).toHaveLength(2);
    expect(second.next).toBeNull();
  });

  test("remembers as many runs as it is told", async () => {
    const small = await startServer({ sessions: { memory: backend.broker }, keepRuns: 3 });
    const ids: string[] = [];
    for (let count = 0; count < 5; count += 1) ids.unshift((await postRun(small, { start_idx: 0, end_idx: 1 })).id);
    const { runs } = pageSchema.parse((await small.inject("/runs")).json());
    expect(runs.map(({ id }) => id)).toEqual(ids.slice(0, 3));
    expect((await small.inject(`/runs/${ids[4]}`)).statusCode).toBe(404);
    await small.close();
  });
});
