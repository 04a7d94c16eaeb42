import { deflateSync, crc32 } from "node:zlib";
import type { FastifyInstance, InjectOptions } from "fastify";
import sharp from "sharp";
import { memoryBroker } from "millrace/memory";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { gallery, problemSchema, startServer } from "./service-fixture.ts";

let server: FastifyInstance;

beforeAll(async () => {
  server = await startServer({ sessions: { memory: memoryBroker() }, gallery });
});
afterAll(() => server.close());

const png = { "content-type": "image/png" };
const form = { "content-type": "application/x-www-form-urlencoded" };
const json = { "content-type": "application/json" };

const post = (url: string, headers: Record<string, string>, body: string | Buffer): InjectOptions => ({
  method: "POST",
  url,
  headers,
  body,
});
const run = (body: object, query = ""): InjectOptions => post(`/runs${query}`, json, JSON.stringify(body));

/** An encoder of PNG in twelve lines, since real ones refuse to write what a bomb is. */
function bomb(side: number): Buffer {
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    checksum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, checksum]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header.set([1, 0], 8); // one bit per pixel, grey
  const rows = deflateSync(Buffer.alloc((side / 8 + 1) * side), { level: 1 });
  const signature = Buffer.from("89504e470d0a1a0a", "hex");
  return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", rows), chunk("IEND", Buffer.alloc(0))]);
}

const hugePicture = bomb(30_000);

async function problemOf(request: InjectOptions | string): Promise<ReturnType<typeof problemSchema.parse>> {
  const answer = await server.inject(request);
  expect(answer.headers["content-type"]).toMatch(/^application\/problem\+json/);
  const problem = problemSchema.parse(answer.json());
  expect(problem.status).toBe(answer.statusCode);
  expect(problem.type).toBe("about:blank");
  return problem;
}

describe("bad requests", () => {
  test.each<[string, InjectOptions | string, number, RegExp]>([
    ["not JSON", post("/runs", json, "{nope"), 400, /JSON/],
    ["no body", { method: "POST", url: "/runs", headers: json }, 400, /body/i],
    ["no content type", { method: "POST", url: "/runs" }, 400, /body: .*expected object/],
    ["a list", post("/runs", json, "[1, 2]"), 400, /body: .*expected object/],
    ["an empty object", run({}), 400, /start_idx: .*expected number.*end_idx: .*expected number/],
    ["text for a number", run({ start_idx: "0", end_idx: 1 }), 400, /start_idx: .*expected number, received string/],
    ["null", run({ start_idx: null, end_idx: 1 }), 400, /start_idx: .*expected number/],
    ["a fraction", run({ start_idx: 0.5, end_idx: 1 }), 400, /start_idx: .*expected int/],
    ["a negative index", run({ start_idx: -1, end_idx: 1 }), 400, /start_idx: .*>=0/],
    ["a range without images", run({ start_idx: 1, end_idx: 1 }), 400, /\[1, 1\).*start_idx < end_idx <= 10000/],
    ["a reversed range", run({ start_idx: 7, end_idx: 3 }), 400, /\[7, 3\): expected 0 <= start_idx < end_idx/],
    ["beyond the set", run({ start_idx: 0, end_idx: 10_001 }), 400, /end_idx <= 10000/],
    ["a huge number", post("/runs", json, '{"start_idx":0,"end_idx":1e400}'), 400, /end_idx: /],
    ["an unsafe number", post("/runs", json, '{"start_idx":0,"end_idx":9007199254740993}'), 400, /end_idx: /],
    ["a broker that is not served", run({ broker: "nats", start_idx: 0, end_idx: 1 }), 400, /broker: "nats".*: memory/],
    ["a broker that is none", run({ broker: 7, start_idx: 0, end_idx: 1 }), 400, /broker: .*expected string/],
    ["a poisoned prototype", post("/runs", json, '{"__proto__":{"x":1},"start_idx":0,"end_idx":1}'), 400, /./],
    ["a wait that is none", run({ start_idx: 0, end_idx: 1 }, "?wait=soon"), 400, /wait: expected a duration like 5s/],
    ["an empty wait", run({ start_idx: 0, end_idx: 1 }, "?wait="), 400, /wait: expected a duration like 5s/],
    ["a wait too long", run({ start_idx: 0, end_idx: 1 }, "?wait=61s"), 400, /wait: expected at most 60s/],
    ["a body too large", run({ start_idx: 0, end_idx: 1, broker: "x".repeat(20_000) }), 413, /too large/],
    ["XML", post("/runs", { "content-type": "application/xml" }, "<a/>"), 415, /application\/xml/],
    ["plain text", post("/runs", { "content-type": "text/plain" }, '{"start_idx":0,"end_idx":1}'), 415, /text\/plain/],
    ["an unknown run", "/runs/none", 404, /run none is not known/],
    ["a limit of nothing", "/runs?limit=0", 400, /limit: /],
    ["a limit too high", "/runs?limit=1001", 400, /limit: /],
    ["an empty limit", "/runs?limit=", 400, /limit: /],
    ["a page that is none", "/runs?before=x", 400, /before: /],
    ["push: an unknown broker", "/nats/push-to-consumer?start_idx=0&end_idx=1", 404, /memory/],
    ["push: nothing", "/memory/push-to-consumer", 400, /start_idx: .*end_idx: /],
    ["push: empty", "/memory/push-to-consumer?start_idx=&end_idx=1", 400, /start_idx: expected a whole number/],
    ["push: twice", "/memory/push-to-consumer?start_idx=0&start_idx=1&end_idx=1", 400, /start_idx: /],
    ["push: signs", "/memory/push-to-consumer?start_idx=%2B0&end_idx=1e1", 400, /start_idx: .*end_idx: /],
    ["push: reversed", "/memory/push-to-consumer?start_idx=3&end_idx=1", 400, /\[3, 1\)/],
    ["push: huge", "/memory/push-to-consumer?start_idx=0&end_idx=99999999999999999999", 400, /end_idx: /],
    [
      "form: a word",
      post("/", form, "broker=memory&start_idx=one&end_idx=2"),
      400,
      /start_idx: expected a whole number/,
    ],
    ["form: nothing", post("/", form, ""), 400, /broker: .*start_idx: .*end_idx: /],
    ["form: too large", post("/", form, `broker=${"x".repeat(20_000)}`), 413, /too large/],
    ["form: an unknown broker", post("/", form, "broker=nats&start_idx=0&end_idx=1"), 400, /"nats".*memory/],
    ["the page of an unknown run", "/?run=none", 404, /run none/],
    ["PUT", { method: "PUT", url: "/runs" }, 405, /GET.*POST/],
    ["DELETE of a run", { method: "DELETE", url: "/runs/x" }, 405, /GET/],
    ["POST of events", post("/events", json, "{}"), 405, /GET/],
    ["PATCH of a push", { method: "PATCH", url: "/memory/push-to-consumer" }, 405, /GET, POST/],
    ["no picture", { method: "POST", url: "/images", headers: png }, 415, /expected the bytes of a PNG or JPEG/],
    ["a picture of another type", post("/images", { "content-type": "image/gif" }, "GIF89a"), 415, /image\/gif/],
    ["JSON for a picture", post("/images", json, "{}"), 415, /application\/json/],
    ["text for a picture", post("/images", png, "a picture"), 415, /expected the bytes of a PNG or JPEG/],
    ["a drawing that sharp would read", post("/images", png, '<svg xmlns="http://www.w3.org/2000/svg"/>'), 415, /PNG/],
    ["a PNG that ends early", post("/images", png, bomb(800).subarray(0, 60)), 415, /expected PNG or JPEG/],
    ["a picture bomb", post("/images", png, hugePicture), 415, /pixel limit/],
    ["an upload too large", post("/images", png, Buffer.alloc(8 * 1_024 * 1_024 + 1)), 413, /too large/],
    ["pictures: a range too wide", "/images?start_idx=0&end_idx=1001", 400, /end_idx <= 1000/],
    ["pictures: beyond the set", "/images?start_idx=9999&end_idx=10001", 400, /end_idx <= 10000/],
  ])("%s", async (_, request, status, detail) => {
    const problem = await problemOf(request);
    expect(problem.status).toBe(status);
    expect(problem.detail).toMatch(detail);
  });

  test("each wrong field is listed with where it stands", async () => {
    const { errors } = await problemOf(run({ start_idx: -1, end_idx: "1" }));
    expect(errors?.map(({ at }) => at)).toEqual(["start_idx", "end_idx"]);
  });

  test("a wrong method is told the right ones", async () => {
    const answer = await server.inject({ method: "DELETE", url: "/runs" });
    expect(answer.headers.allow?.split(", ").toSorted()).toEqual(["GET", "HEAD", "POST"]);
  });

  test("the bomb is a small file of a picture that sharp would unpack", async () => {
    expect(hugePicture.length).toBeLessThan(1_000_000);
    expect(await sharp(hugePicture, { limitInputPixels: false }).metadata()).toMatchObject({ width: 30_000 });
  });
});

describe("the rate limit", () => {
  test("counts what starts something, and says when to come back", async () => {
    const limited = await startServer({ sessions: { memory: memoryBroker() }, maxRunsPerMinute: 3 });
    const push = "/memory/push-to-consumer?start_idx=0&end_idx=1";
    expect((await limited.inject(push)).statusCode).toBe(200);
    expect((await limited.inject(run({ start_idx: 0, end_idx: 1 }))).statusCode).toBe(202);
    expect((await limited.inject(post("/images", png, "no picture"))).statusCode).toBe(415);
    for (const request of [push, run({ start_idx: 0, end_idx: 1 }), post("/images", png, "no picture")]) {
      const refused = await limited.inject(request);
      expect(refused.statusCode).toBe(429);
      expect(problemSchema.parse(refused.json()).detail).toMatch(/at most 3 a minute; try again in/);
      expect(refused.headers["content-type"]).toMatch(/^application\/problem\+json/);
      expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
    }
    for (const url of ["/runs", "/", "/healthz"]) expect((await limited.inject(url)).statusCode).toBe(200);
    await limited.close();
  });
});

describe("a token", () => {
  const token = "s3cret: with colon";
  const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString("base64")}`;
  let locked: FastifyInstance;

  beforeAll(async () => {
    locked = await startServer({ sessions: { memory: memoryBroker() }, gallery, token });
  });
  afterAll(() => locked.close());

  test.each([
    [undefined],
    ["Bearer"],
    ["Bearer wrong"],
    ["Bearer s3cret:"],
    [`Token ${token}`],
    [basic("user:wrong")],
    ["Basic ???"],
  ])("%s is refused everywhere but at the probes", async (authorization) => {
    const headers = authorization === undefined ? {} : { authorization };
    const urls = ["/", "/runs", "/runs/x", "/events", "/images?start_idx=0&end_idx=1", "/docs/json", "/docs/"];
    for (const url of [...urls, "/memory/push-to-consumer?start_idx=0&end_idx=1"]) {
      const refused = await locked.inject({ url, headers });
      expect([url, refused.statusCode]).toEqual([url, 401]);
      expect(refused.headers["content-type"]).toMatch(/^application\/problem\+json/);
      expect(refused.headers["www-authenticate"]).toEqual(["Bearer", expect.stringMatching(/^Basic realm=/)]);
    }
    expect((await locked.inject({ url: "/healthz", headers })).statusCode).toBe(200);
    expect((await locked.inject({ url: "/readyz", headers })).statusCode).toBe(200);
  });

  test.each([[`Bearer ${token}`], [`bearer ${token}`], [basic(`anyone:${token}`)]])("%s is let in", async (shown) => {
    const headers = { authorization: shown };
    for (const url of ["/", "/runs", "/docs/json"]) {
      expect((await locked.inject({ url, headers })).statusCode).toBe(200);
    }
  });
});

describe("requests that other sites have a browser send", () => {
  const starts: readonly InjectOptions[] = [
    run({ start_idx: 0, end_idx: 1 }),
    post("/", form, "broker=memory&start_idx=1&end_idx=1"), // not even a range: what is let in is answered at once
    { method: "GET", url: "/memory/push-to-consumer?start_idx=0&end_idx=1" },
    { method: "POST", url: "/memory/push-to-consumer?start_idx=0&end_idx=1" },
    post("/images", png, "no picture"),
  ];
  const at = (request: InjectOptions, headers: Record<string, string>): InjectOptions => ({
    ...request,
    headers: { host: "localhost:5000", ...request.headers, ...headers },
  });

  test.each([
    [{ "sec-fetch-site": "cross-site" }],
    [{ "sec-fetch-site": "same-site" }],
    [{ origin: "https://evil.example" }],
    [{ origin: "http://localhost:5001" }],
    [{ origin: "null" }],
    [{ origin: "nonsense" }],
    [{ origin: "http://localhost:5000", "sec-fetch-site": "cross-site" }],
    [{ origin: "http://evil.example", "sec-fetch-site": "same-origin" }],
  ])("%o are refused", async (headers) => {
    for (const request of starts) {
      const { status, title } = await problemOf(at(request, headers));
      expect([request.method, request.url, status, title]).toEqual([request.method, request.url, 403, "Refused"]);
    }
    expect((await server.inject({ url: "/runs", headers })).statusCode).toBe(200);
  });

  test.each([
    [{}],
    [{ "sec-fetch-site": "same-origin", origin: "http://localhost:5000" }],
    [{ "sec-fetch-site": "none" }],
    [{ origin: "http://localhost:5000" }],
    [{ origin: "http://LOCALHOST:5000", host: "LocalHost:5000" }],
  ])("%o pass", async (headers) => {
    for (const request of starts) {
      const { statusCode } = await server.inject(at(request, headers));
      expect([request.url, statusCode]).not.toEqual([request.url, 403]);
    }
  });

  test("behind a proxy that the server trusts, the page's own address counts", async () => {
    const { default: fastify } = await import("fastify");
    const { trigger } = await import("millrace/service");
    const behind = fastify({ trustProxy: true });
    await behind.register(trigger, { sessions: { memory: memoryBroker() } });
    const headers = {
      host: "10.0.0.7:5000",
      "x-forwarded-host": "millrace.example",
      origin: "https://millrace.example",
    };
    const answer = await behind.inject({ url: "/memory/push-to-consumer?start_idx=0&end_idx=1", headers });
    expect(answer.statusCode).toBe(200);
    await behind.close();
  });

  test("a browser is told to send its origin with the form, and not to show the page in a frame", async () => {
    const { headers } = await server.inject("/");
    expect(headers["referrer-policy"]).toBe("same-origin");
    expect(headers["content-security-policy"]).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
  });
});
