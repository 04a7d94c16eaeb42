import formbody from "@fastify/formbody";
import helmet from "@fastify/helmet";
import rateLimit from "@fastify/rate-limit";
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import fastify, { type FastifyInstance } from "fastify";
import { memoryBroker } from "millrace/memory";
import { trigger, type TriggerOptions } from "millrace/service";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { pageSchema, problemSchema, runSchema, startBackend, startServer, type Backend } from "./service-fixture.ts";

let backend: Backend;

beforeAll(async () => {
  backend = await startBackend();
});
afterAll(() => backend.close());

const asForm = { "content-type": "application/x-www-form-urlencoded" };

async function runs(server: FastifyInstance, prefix: string): Promise<void> {
  const answer = await server.inject({
    method: "POST",
    url: `${prefix}/runs?wait=20s`,
    body: { start_idx: 0, end_idx: 2 },
  });
  expect(answer.statusCode).toBe(200);
  expect(runSchema.parse(answer.json())).toMatchObject({ status: "done", done: 2 });
  const form = await server.inject({
    method: "POST",
    url: `${prefix}/`,
    headers: asForm,
    body: "broker=memory&start_idx=0&end_idx=3",
  });
  expect(form.statusCode).toBe(303);
  expect(form.headers.location).toMatch(new RegExp(`^${prefix}/\\?run=`));
  expect((await server.inject(form.headers.location ?? "")).statusCode).toBe(200);
  const refused = await server.inject({ method: "POST", url: `${prefix}/runs`, body: {} });
  expect(refused.headers["content-type"]).toMatch(/^application\/problem\+json/);
  const { next } = pageSchema.parse((await server.inject(`${prefix}/runs?limit=1`)).json());
  expect(next).toMatch(new RegExp(`^${prefix}/runs\\?`));
  expect((await server.inject(`${prefix}/docs/json`)).statusCode).toBe(200);
  expect((await server.inject(`${prefix}/healthz`)).statusCode).toBe(200);
}

describe("a server of one's own", () => {
  test("keeps its routes, its error and 404 handlers and its headers beside two triggers", async () => {
    const server = fastify();
    server.setErrorHandler((error, _, reply) => reply.code(418).send({ mine: String(error) }));
    server.setNotFoundHandler((_, reply) => reply.code(404).send({ mine: "not found" }));
    await server.register(helmet, { contentSecurityPolicy: false, xPoweredBy: false });
    server.get("/", () => "mine");
    server.get("/runs", () => "my runs");
    server.get("/fails", () => {
      throw new Error("my error");
    });
    server.post("/text", ({ body }) => ({ got: body }));
    await server.register(trigger, { prefix: "/one", sessions: { memory: backend.broker } });
    await server.register(trigger, {
      prefix: "/two",
      sessions: { memory: backend.broker },
      docs: true,
      maxRunsPerMinute: 3,
    });
    await server.ready();
    await runs(server, "/one");
    await runs(server, "/two");

    const own = await server.inject("/");
    expect(own.body).toBe("mine");
    expect(own.headers["content-security-policy"]).toBeUndefined();
    expect(own.headers["strict-transport-security"]).toBeDefined();
    expect(own.headers["x-ratelimit-limit"]).toBeUndefined();
    expect((await server.inject("/one/")).headers["content-security-policy"]).toMatch(/default-src 'none'/);
    expect((await server.inject("/runs")).body).toBe("my runs");
    expect((await server.inject("/fails")).json()).toEqual({ mine: "Error: my error" });
    const text = { method: "POST", url: "/text", headers: { "content-type": "text/plain" }, body: "hello" } as const;
    expect((await server.inject(text)).json()).toEqual({ got: "hello" });
    expect((await server.inject({ ...text, headers: asForm })).statusCode).toBe(418); // no parser leaked out
    for (const url of ["/nowhere", "/one/nowhere", "/two/runs/x/y"]) {
      expect((await server.inject(url)).json()).toEqual({ mine: "not found" });
    }

    // The limit and the runs are each trigger's own.
    const push = "/push-to-consumer?start_idx=0&end_idx=1";
    expect((await server.inject(`/two/memory${push}`)).statusCode).toBe(429);
    expect((await server.inject(`/one/memory${push}`)).statusCode).toBe(200);
    await server.close();
  });

  test.each<[string, (server: FastifyInstance) => Promise<unknown>]>([
    ["helmet", async (server) => server.register(helmet, { enableCSPNonces: true })],
    ["rate-limit", async (server) => server.register(rateLimit, { max: 100 })],
    ["formbody", async (server) => server.register(formbody)],
    ["swagger 2", async (server) => server.register(swagger)],
    [
      "swagger 3",
      async (server) =>
        server.register(swagger, { openapi: { openapi: "3.1.0", info: { title: "mine", version: "1" } } }),
    ],
    [
      "swagger and its page",
      async (server) => {
        await server.register(swagger, { openapi: { info: { title: "mine", version: "1" } } });
        await server.register(swaggerUi);
      },
    ],
  ])("may have @fastify/%s already", async (name, register) => {
    for (const prefix of ["", "/inference"]) {
      const server = fastify();
      await register(server);
      server.get("/mine", { schema: { response: { 200: { type: "string" } } } }, () => "mine");
      await server.register(trigger, { prefix, sessions: { memory: backend.broker } });
      await server.ready();
      await runs(server, prefix);
      expect((await server.inject("/mine")).body).toBe("mine");
      if (name.startsWith("swagger")) {
        const { paths = {} } = server.swagger();
        expect(Object.keys(paths)).toContain("/mine");
        if (name !== "swagger 2") expect(Object.keys(paths)).toContain(`${prefix}/runs`);
      }
      await server.close();
    }
  });

  test("answers what is thrown by its own hooks as problems too", async () => {
    const server = fastify();
    server.addHook("preHandler", async () => {
      throw new Error("the database is away");
    });
    await server.register(trigger, { sessions: { memory: backend.broker } });
    const answer = await server.inject("/runs");
    expect(answer.statusCode).toBe(500);
    expect(problemSchema.parse(answer.json()).detail).toBe("see the log of the service"); // and not what was thrown
    await server.close();
  });

  test("closing it ends the sessions, after what they were told is done", async () => {
    const broker = memoryBroker();
    const server = await startServer({ sessions: { memory: broker }, groupId: "closing" });
    for (let count = 0; count < 5; count += 1) await server.inject("/memory/push-to-consumer?start_idx=0&end_idx=1");
    await server.close();
    expect(broker.records("INFERENCE")).toHaveLength(5);
    // Nobody holds the partition any more: the next of the group gets it at once, behind what was read.
    const next = await startServer({ sessions: { memory: broker }, groupId: "closing" });
    const value = new TextEncoder().encode('{"start_idx":0,"predictions":["Bag"],"scores":[1]}');
    const run_id = new TextEncoder().encode("after");
    broker.publish([{ topic: "PREDICTIONS", key: null, value, headers: [["run_id", run_id]], timestamp: 0 }]);
    await expect.poll(async () => (await next.inject("/runs/after")).statusCode).toBe(200);
    await next.close();
  });
});

describe("options", () => {
  const broker = memoryBroker();
  const sessions = { memory: broker };

  test.each<[string, object]>([
    ["sessions", {}],
    ["sessions", { sessions: {} }],
    ["sessions.memory", { sessions: { memory: {} } }],
    ["sessions", { sessions: { "a/b": broker } }],
    ["token", { sessions, token: "" }],
    ["groupId", { sessions, groupId: "" }],
    ["topics.input", { sessions, topics: { input: "" } }],
    ["topics.output", { sessions, topics: { output: 7 } }],
    ["images", { sessions, images: 0 }],
    ["images", { sessions, images: 1.5 }],
    [
      "images",
      { sessions, images: 3, gallery: { images: new Uint8Array(4), labels: new Uint8Array(1), names: [], side: 2 } },
    ],
    ["gallery", { sessions, gallery: { images: new Uint8Array(5), labels: new Uint8Array(1), names: [], side: 2 } }],
    [
      "gallery.side",
      { sessions, gallery: { images: new Uint8Array(0), labels: new Uint8Array(1), names: [], side: 0 } },
    ],
    ["maxRunsPerMinute", { sessions, maxRunsPerMinute: -1 }],
    ["keepRuns", { sessions, keepRuns: 0 }],
    ["publishTimeoutMs", { sessions, publishTimeoutMs: Number.NaN }],
  ])("%s is named when it is wrong: %#", async (name, options) => {
    const server = fastify();
    // What a user of JavaScript may pass.
    const failure = server.register(trigger, options as TriggerOptions).ready();
    await expect(failure).rejects.toMatchObject({
      code: "ERR_CONFIG",
      message: expect.stringContaining(`trigger: ${name}`),
    });
    await server.close();
  });
});

describe("OpenAPI", () => {
  const operation = z.object({
    summary: z.string().min(1),
    tags: z.array(z.string()),
    parameters: z
      .array(z.object({ name: z.string(), in: z.enum(["query", "path", "header"]), schema: z.looseObject({}) }))
      .optional(),
    requestBody: z.object({ content: z.record(z.string(), z.looseObject({})) }).optional(),
    responses: z.record(z.string().regex(/^[1-5]\d\d$|^default$/), z.object({ description: z.string() })),
  });
  const documentSchema = z.object({
    openapi: z.literal("3.1.0"),
    info: z.object({ title: z.string(), version: z.string().regex(/^\d+\.\d+\.\d+/) }),
    security: z.array(z.record(z.string(), z.array(z.string()))).optional(),
    components: z.looseObject({ securitySchemes: z.looseObject({}).optional() }).optional(),
    paths: z.record(z.string().startsWith("/"), z.partialRecord(z.enum(["get", "post"]), operation)),
  });

  test("at /docs/json names each route with its parameters and answers", async () => {
    const server = await startServer({ sessions: { memory: backend.broker }, app: backend.app });
    const answer = await server.inject("/docs/json");
    const { paths, security } = documentSchema.parse(answer.json());
    const routes = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((name) => `${name} ${path}`),
    );
    expect(routes.toSorted()).toEqual([
      "get /events",
      "get /runs",
      "get /runs/{id}",
      "get /topology",
      "get /topology.svg",
      "get /{broker}/push-to-consumer",
      "post /images",
      "post /runs",
      "post /{broker}/push-to-consumer",
    ]);
    const names = (path: string, method: "get" | "post"): string[] =>
      paths[path]?.[method]?.parameters?.map((parameter) => `${parameter.in} ${parameter.name}`) ?? [];
    expect(names("/runs/{id}", "get").toSorted()).toEqual(["path id", "query wait"]);
    expect(names("/runs", "get").toSorted()).toEqual(["query before", "query limit"]);
    expect(Object.keys(paths["/images"]?.post?.requestBody?.content ?? {})).toEqual(["image/png", "image/jpeg"]);
    expect(answer.body).not.toContain('"$ref"');
    expect(security).toBeUndefined();
    await server.close();
  });

  test("says when a token is needed", async () => {
    const server = await startServer({ sessions: { memory: memoryBroker() }, token: "t" });
    const answer = await server.inject({ url: "/docs/json", headers: { authorization: "Bearer t" } });
    const { security, components } = documentSchema.parse(answer.json());
    expect(security).toEqual([{ token: [] }]);
    expect(components?.securitySchemes).toEqual({ token: { type: "http", scheme: "bearer" } });
    await server.close();
  });

  test("says nothing of the user's own schemas", async () => {
    z.object({ secret: z.string() }).meta({ id: "MySecret" });
    const server = await startServer({ sessions: { memory: memoryBroker() } });
    expect((await server.inject("/docs/json")).body).not.toContain("MySecret");
    await server.close();
  });

  test("can be left out", async () => {
    const server = await startServer({ sessions: { memory: memoryBroker() }, docs: false });
    expect((await server.inject("/docs/json")).statusCode).toBe(404);
    await server.close();
  });
});
