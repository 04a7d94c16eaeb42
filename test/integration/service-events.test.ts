import { get, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { once } from "node:events";
import type { FastifyInstance } from "fastify";
import { memoryBroker } from "millrace/memory";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { until } from "../../scripts/brokers/until.ts";
import { listening, postRun, startBackend, startServer, type Backend } from "./service-fixture.ts";

let backend: Backend;
let server: FastifyInstance;
let address: string;

beforeAll(async () => {
  backend = await startBackend();
});
afterAll(() => backend.close());
beforeEach(async () => {
  server = await startServer({ sessions: { memory: backend.broker } });
  address = await listening(server);
});
afterEach(() => server.close());

interface ServerEvent {
  readonly id: string | undefined;
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A reader of server-sent events over a socket of its own. */
class Events {
  readonly all: ServerEvent[] = [];
  readonly response: IncomingMessage;
  ended = false;
  private rest = "";

  private constructor(response: IncomingMessage) {
    this.response = response;
    response.setEncoding("utf8").on("data", (text: string) => this.take(text));
    response.on("error", () => {}).on("close", () => (this.ended = true));
  }

  static async open(base: string, lastEventId?: string): Promise<Events> {
    const headers = lastEventId === undefined ? {} : { "last-event-id": lastEventId };
    const request = get(`${base}/events`, { headers, agent: false });
    const [response] = (await once(request, "response")) as [IncomingMessage]; // as node documents it
    return new Events(response);
  }

  /** The numbered ones, without those of a state. */
  get numbered(): readonly ServerEvent[] {
    return this.all.filter(({ name }) => name !== "stats" && name !== "reset");
  }

  named(name: string): readonly ServerEvent[] {
    return this.all.filter((event) => event.name === name);
  }

  async until(condition: () => boolean, what: string): Promise<void> {
    await until(condition, { what: () => `${what}; got ${this.all.map(({ name }) => name).join()}`, ms: 20_000 });
  }

  close(): void {
    this.response.destroy();
  }

  private take(text: string): void {
    const blocks = `${this.rest}${text}`.split("\n\n");
    this.rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const fields = new Map(
        block.split("\n").map((line) => [line.split(": ")[0], line.slice(line.indexOf(": ") + 2)]),
      );
      const data = fields.get("data");
      if (data === undefined) continue;
      // An object, as all that is sent.
      const parsed = JSON.parse(data) as Readonly<Record<string, unknown>>;
      this.all.push({ id: fields.get("id"), name: fields.get("event") ?? "", data: parsed });
    }
  }
}

describe("GET /events", () => {
  test("tells the present state, then progress and results as slices arrive", async () => {
    const before = await postRun(server, { start_idx: 0, end_idx: 1 });
    const events = await Events.open(address);
    expect(events.response.headers).toMatchObject({ "content-type": "text/event-stream", "cache-control": "no-store" });
    await events.until(() => events.all.length > 0, "the present state");
    expect(events.all[0]).toMatchObject({ name: "reset", data: { runs: [{ id: before.id }], dead_letters: [] } });
    const { id } = await postRun(server, { start_idx: 0, end_idx: 2_500 }, "60s");
    await events.until(() => events.named("run").at(-1)?.data["status"] === "done", "the end of the run");
    const progress = events.named("run").filter(({ data }) => data["id"] === id);
    expect(progress.map(({ data }) => [data["status"], data["done"]])).toEqual([
      ["queued", 0],
      ["running", 1_000],
      ["running", 2_000],
      ["done", 2_500],
    ]);
    const slices = events.named("slice").map(({ data }) => data);
    expect(slices.map(({ run, start_idx, end_idx }) => [run, start_idx, end_idx])).toEqual([
      [id, 0, 1_000],
      [id, 1_000, 2_000],
      [id, 2_000, 2_500],
    ]);
    expect(slices[2]?.["predictions"]).toHaveLength(500);
    expect(slices[2]?.["scores"]).toHaveLength(500);
    events.close();
  });

  test("tells of dead letters", async () => {
    const events = await Events.open(address);
    backend.publish("INFERENCE", "no JSON", { run_id: "mine" });
    await events.until(() => events.named("dead-letter").length > 0, "the dead letter");
    expect(events.named("dead-letter")[0]?.data).toMatchObject({
      broker: "memory",
      run: "mine",
      node: "source",
      value: "no JSON",
      error: { code: "ERR_DECODE" },
    });
    events.close();
  });

  test("Last-Event-ID goes on where the reader was, without gaps or doubles", async () => {
    const first = await Events.open(address);
    await postRun(server, { start_idx: 0, end_idx: 3_000 }, "60s");
    await first.until(() => first.named("slice").length === 3, "three slices");
    const seen = first.numbered.slice(0, 4);
    first.close();
    await postRun(server, { start_idx: 0, end_idx: 1 });
    const second = await Events.open(address, seen.at(-1)?.id);
    await postRun(server, { start_idx: 1, end_idx: 2 });
    await second.until(
      () => second.named("run").filter(({ data }) => data["status"] === "done").length === 3,
      "three ends",
    );
    const numbers = [...seen, ...second.numbered].map(({ id }) => Number(id?.split("-")[1]));
    expect(numbers).toEqual(Array.from(numbers, (_, index) => (numbers[0] ?? 0) + index));
    expect(second.named("reset")).toEqual([]);
    second.close();
  });

  test("a reader that is up to date gets nothing twice", async () => {
    const first = await Events.open(address);
    await postRun(server, { start_idx: 0, end_idx: 1 });
    await first.until(() => first.named("run").some(({ data }) => data["status"] === "done"), "the end of the run");
    const second = await Events.open(address, first.numbered.at(-1)?.id);
    await second.until(() => second.named("stats").length > 0, "a tick");
    expect(second.all.filter(({ name }) => name !== "stats")).toEqual([]);
    first.close();
    second.close();
  });

  test.each(["0", "7", "nonsense", "", "-1", "00000000-0", "99999999999999999999"])(
    "an id that is none of ours, %j, gets the present state",
    async (id) => {
      await expectReset(address, id);
    },
  );

  test("an id of an earlier life gets the present state, although this life has such a number", async () => {
    const first = await Events.open(address);
    await postRun(server, { start_idx: 0, end_idx: 1 });
    await first.until(() => first.numbered.length > 1, "events");
    first.close();
    const later = await startServer({ sessions: { memory: memoryBroker() } });
    const base = await listening(later);
    for (let count = 0; count < 3; count += 1) {
      await later.inject("/memory/push-to-consumer?start_idx=0&end_idx=1");
    }
    await expectReset(base, first.numbered[0]?.id);
    await later.close();
  });

  test("an id that is forgotten gets the present state", async () => {
    const first = await Events.open(address);
    await postRun(server, { start_idx: 0, end_idx: 1 });
    await first.until(() => first.numbered.length > 1, "events");
    const { id } = first.numbered[0] ?? {};
    first.close();
    for (let copy = 0; copy < 2_100; copy += 1) backend.publish("PREDICTIONS", slice(1), { run_id: `many-${copy}` });
    await until(async () => (await server.inject("/runs?limit=1000")).body.includes("many-2099"), { what: "all runs" });
    await expectReset(address, id);
  });

  test("whoever comes back after much has happened is told where things stand, and stays", async () => {
    const first = await Events.open(address);
    await first.until(() => first.all.length > 0, "an event");
    const { id } = first.all[0] ?? {};
    first.close();
    for (let copy = 0; copy < 60; copy += 1) backend.publish("PREDICTIONS", slice(10_000), { run_id: `big-${copy}` });
    await until(async () => (await server.inject("/runs?limit=1000")).body.includes("big-59"), { what: "all runs" });
    const second = await Events.open(address, id);
    const { id: run } = await postRun(server, { start_idx: 0, end_idx: 1 });
    await second.until(() => second.named("run").some(({ data }) => data["id"] === run), "a later run");
    expect(second.ended).toBe(false);
    second.close();
  });

  test("a reader that stops reading is cut off, the others are not", async () => {
    const reader = await Events.open(address);
    const { hostname, port } = new URL(address);
    const lazy = connect(Number(port), hostname);
    lazy.write(`GET /events HTTP/1.1\r\nhost: ${hostname}\r\n\r\n`);
    await once(lazy, "readable");
    lazy.pause(); // from here on the system's buffers fill, then the server's
    const gone = once(lazy, "close");
    lazy.on("error", () => {});
    for (let copy = 0; copy < 80; copy += 1) {
      backend.publish("PREDICTIONS", slice(10_000), { run_id: `lazy-${copy}` });
      if (copy % 20 === 19) await reader.until(() => reader.named("slice").length > copy, "slices");
    }
    await until(async () => (await connections(server)) === 1, { what: "one connection" });
    lazy.resume(); // now it sees that it was cut off
    await gone;
    expect(reader.named("slice")).toHaveLength(80);
    expect(reader.ended).toBe(false);
    reader.close();
  });

  test("streams, and whoever waits for a run, end when the server closes", async () => {
    const quiet = await startServer({ sessions: { memory: memoryBroker() } });
    const base = await listening(quiet);
    const events = await Events.open(base);
    const waiting = fetch(`${base}/runs?wait=60s`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ start_idx: 0, end_idx: 1 }),
    });
    await events.until(() => events.named("run").length > 0, "the run that nobody answers");
    const since = performance.now();
    await quiet.close();
    expect(performance.now() - since).toBeLessThan(5_000);
    expect((await waiting).status).toBe(202);
    await events.until(() => events.ended, "the end of the stream");
  });

  test("a reader that leaves is forgotten", async () => {
    const events = await Events.open(address);
    await events.until(() => events.all.length > 0, "an event");
    expect(await connections(server)).toBe(1);
    events.close();
    await until(async () => (await connections(server)) === 0, { what: "no connection" });
  });
});

function slice(count: number): object {
  return {
    start_idx: 0,
    predictions: Array.from({ length: count }, () => "Ankle boot"),
    scores: Array.from({ length: count }, () => 0.1234),
  };
}

function connections({ server: listener }: FastifyInstance): Promise<number> {
  return new Promise((resolve, reject) => {
    listener.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
  });
}

/** Who comes back with this id is told the present state first. */
async function expectReset(base: string, id: string | undefined): Promise<void> {
  const events = await Events.open(base, id);
  await events.until(() => events.all.length > 0, "an event");
  expect(events.all[0]?.name).toBe("reset");
  events.close();
}
