import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { PubSub } from "@google-cloud/pubsub";
import { silentLogger, type BrokerSession, type Delivery, type OutgoingRecord, type SessionOptions } from "millrace";
import { pubsubBroker, type PubSubOptions } from "millrace/pubsub";
import { asyncScheduler } from "rxjs";
import { afterEach, describe, expect, test } from "vitest";
import { pubsubEmulator } from "../brokers/addresses.ts";
import { until } from "../../scripts/brokers/until.ts";

const emulatorHost = pubsubEmulator();
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What comes at all comes within this time. */
const soon = { what: "deliveries", ms: 10_000 };

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** A project of its own, a topic in it, and the subscription of group `group`. */
class Stage {
  readonly projectId = `integration-${randomUUID()}`;
  readonly topic = "topic";
  readonly client: PubSub;
  private readonly options: PubSubOptions;

  constructor(options: PubSubOptions = {}) {
    this.options = options;
    const apiEndpoint = emulatorHost ?? "";
    const { projectId } = this;
    this.client = new PubSub({ apiEndpoint, emulatorMode: true, projectId, universeDomain: "googleapis.com" });
    cleanups.push(() => this.client.close());
  }

  static async open(options?: PubSubOptions, subscription: object = {}): Promise<Stage> {
    const stage = new Stage(options);
    const [topic] = await stage.client.createTopic(stage.topic);
    await topic.createSubscription("topic-group", { enableMessageOrdering: true, ...subscription });
    return stage;
  }

  async session(given: Partial<SessionOptions> = {}): Promise<BrokerSession> {
    const session = await pubsubBroker({ projectId: this.projectId, ...this.options }).open({
      groupId: "group",
      maxInFlight: 100,
      processingGuarantee: "at_least_once",
      commitIntervalMs: 10,
      autoOffsetReset: {},
      topics: [this.topic],
      scheduler: asyncScheduler,
      logger: silentLogger,
      ...given,
    });
    cleanups.push(() => session.close());
    return session;
  }
}

function record(value: string, given: Partial<OutgoingRecord> = {}): OutgoingRecord {
  return { topic: "topic", key: null, value: encoder.encode(value), headers: [], timestamp: 0, ...given };
}

function valueOf({ record: { value } }: Delivery): string {
  return decoder.decode(value ?? undefined);
}

/** All that a session hands out. */
function read(session: BrokerSession, act: (delivery: Delivery) => void = () => {}): Delivery[] & { error?: unknown } {
  const deliveries: Delivery[] & { error?: unknown } = [];
  session.deliveries(["topic"]).subscribe({
    next: (delivery) => {
      deliveries.push(delivery);
      act(delivery);
    },
    error: (error: unknown) => (deliveries.error = error),
  });
  return deliveries;
}

describe.skipIf(emulatorHost === undefined)("pubsub", () => {
  test("misses nothing that is published after a session was opened that will read it", async () => {
    const stage = new Stage({ createTopics: true });
    const session = await stage.session({ reads: [stage.topic] });
    await session.publish([record("early")]);
    const first = await new Promise<Delivery>((resolve, reject) =>
      session.deliveries([stage.topic]).subscribe({ next: resolve, error: reject }),
    );
    expect(valueOf(first)).toBe("early");
    first.ack();
  });

  test("hands out a record that is always given back with growing waits, and not in a storm", async () => {
    const session = await (await Stage.open()).session();
    const deliveries = read(session, (delivery) => delivery.nack("always"));
    await session.publish([record("a")]);
    await until(() => deliveries.length > 0, soon);
    await sleep(2_000);
    expect(deliveries.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5]);
  });

  test("keeps the order of a key when a record of it is given back", async () => {
    const stage = await Stage.open({ maxInFlightPerKey: 1 });
    const session = await stage.session();
    const key = encoder.encode("key");
    const handed: string[] = [];
    const deliveries = read(session, (delivery) => {
      handed.push(`${valueOf(delivery)}#${delivery.attempt}`);
      const back = Number(valueOf(delivery)) % 2 === 0 && delivery.attempt < 3;
      setImmediate(() => (back ? delivery.nack("again") : delivery.ack()));
    });
    await session.publish(["0", "1", "2", "3"].map((value) => record(value, { key })));
    await until(() => deliveries.length >= 8, soon);
    expect(handed).toEqual(["0#1", "0#2", "0#3", "1#1", "2#1", "2#2", "2#3", "3#1"]);
  });

  test("hands out nothing more of a key until what was given back is out again", async () => {
    const session = await (await Stage.open()).session({ maxInFlight: 2 });
    const key = encoder.encode("key");
    const deliveries = read(session, (delivery) => {
      if (valueOf(delivery) === "0" && delivery.attempt === 1) delivery.nack("again");
      else setImmediate(() => delivery.ack());
    });
    await session.publish(["0", "1", "2", "3"].map((value) => record(value, { key })));
    await until(() => deliveries.length >= 5, soon);
    expect(deliveries.map(valueOf)).toEqual(["0", "0", "1", "2", "3"]);
  });

  test("lets the service count where a subscription has a dead letter policy", async () => {
    const stage = new Stage();
    const [topic] = await stage.client.createTopic(stage.topic);
    const [dead] = await stage.client.createTopic("dead");
    const deadLetterPolicy = { deadLetterTopic: dead.name, maxDeliveryAttempts: 5 };
    await topic.createSubscription("topic-group", { enableMessageOrdering: true, deadLetterPolicy });
    const session = await stage.session();
    const deliveries = read(session, (delivery) => delivery.nack("always"));
    await session.publish([record("a")]);
    await until(() => deliveries.length >= 5, soon);
    await sleep(2_500);
    // Handed out again from here, there would be a sixth.
    expect(deliveries.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5]);
  });

  test("extends the lease of slow work beyond the ack deadline", { timeout: 40_000 }, async () => {
    const session = await (await Stage.open({}, { ackDeadlineSeconds: 10 })).session();
    const deliveries = read(session);
    await session.publish([record("slow")]);
    await until(() => deliveries.length === 1, soon);
    await sleep(25_000);
    deliveries[0]?.ack();
    await sleep(1_000);
    expect(deliveries.length).toBe(1);
  });

  test("closes soon with a backlog, and gives back all that was not acked", async () => {
    const stage = await Stage.open();
    const values = Array.from({ length: 60 }, (_, index) => String(index));
    const first = await stage.session({ maxInFlight: 5 });
    const before = read(first);
    await first.publish(values.map((value) => record(value)));
    await until(() => before.length === 5, soon);
    const acked = new Set(before.slice(0, 3).map(valueOf));
    for (const delivery of before.slice(0, 3)) delivery.ack();
    const began = Date.now();
    expect(await first.drain(200)).toMatchObject({ settled: 3, abandoned: 2 });
    await first.close();
    expect(Date.now() - began).toBeLessThan(3_000);
    const second = await stage.session();
    const after = read(second, (delivery) => delivery.ack());
    await until(() => after.length === 57, soon);
    await sleep(300);
    expect(after.map(valueOf).toSorted()).toEqual(values.filter((value) => !acked.has(value)).toSorted());
  });

  test("acks without handing out what the filter excludes", async () => {
    const stage = await Stage.open({ filter: 'attributes.kind = "wanted" AND NOT attributes:ignore' });
    const session = await stage.session();
    const deliveries = read(session, (delivery) => delivery.ack());
    const headers = (kind: string, ...more: string[]): OutgoingRecord["headers"] => [
      ["kind", encoder.encode(kind)],
      ...more.map((name) => [name, encoder.encode("")] as const),
    ];
    await session.publish([
      record("no", { headers: headers("other") }),
      record("no", { headers: headers("wanted", "ignore") }),
      record("yes", { headers: headers("wanted") }),
    ]);
    await until(() => deliveries.length === 1, soon);
    await session.close();
    const rest = read(await stage.session());
    await sleep(500);
    expect([...deliveries, ...rest].map(valueOf)).toEqual(["yes"]);
  });

  test("creates what is missing, and again when it was deleted", async () => {
    const stage = new Stage({ createTopics: true });
    const session = await stage.session();
    const deliveries = read(session, (delivery) => delivery.ack());
    const exists = async (): Promise<boolean> => (await stage.client.subscription("topic-group").exists())[0];
    while (!(await exists())) await sleep(20);
    await session.publish([record("before")]);
    await until(() => deliveries.length === 1, soon);
    await stage.client.subscription("topic-group").delete();
    await stage.client.topic("topic").delete();
    // Whoever notices first, the reader or the writer, creates both.
    await session.publish([record("after")]);
    await until(() => deliveries.length === 2, soon);
    expect(deliveries.map(valueOf)).toEqual(["before", "after"]);
  });

  test("names what is missing, and the commands that create it", async () => {
    const stage = new Stage();
    await expect(stage.session()).rejects.toMatchObject({
      code: "ERR_CONFIG",
      message: expect.stringContaining(`gcloud pubsub topics create topic --project=${stage.projectId}`),
    });
    await stage.client.createTopic("topic");
    const deliveries = read(await stage.session());
    await until(() => deliveries.error !== undefined, soon);
    expect(deliveries.error).toMatchObject({
      code: "ERR_CONFIG",
      message: expect.stringContaining("gcloud pubsub subscriptions create topic-group --topic=topic"),
    });
  });

  test("ends with ERR_BROKER when its subscription is deleted and may not be created", async () => {
    const stage = await Stage.open();
    const deliveries = read(await stage.session());
    await sleep(300);
    await stage.client.subscription("topic-group").delete();
    await until(() => deliveries.error !== undefined, soon);
    expect(deliveries.error).toMatchObject({ code: "ERR_BROKER", broker: "pubsub" });
  });

  test("answers ERR_BROKER when nobody answers", async () => {
    const stage = new Stage({ emulatorHost: "127.0.0.1:9", connectTimeoutMs: 300 });
    await expect(stage.session()).rejects.toMatchObject({ code: "ERR_BROKER" });
  });

  test("tells of acks that were confirmed", async () => {
    const stage = await Stage.open({ exactlyOnceDelivery: true }, { enableExactlyOnceDelivery: true });
    const session = await stage.session();
    const committed: string[] = [];
    session.committed.subscribe((position) => committed.push(position));
    const deliveries = read(session, (delivery) => delivery.ack());
    await session.publish([record("a"), record("b")]);
    await until(() => committed.length === 2, soon);
    expect(committed.toSorted()).toEqual(deliveries.map(({ position }) => position).toSorted());
    expect(deliveries[0]?.position).toMatch(/^pubsub:topic-group@.+/);
  });
});

describe("pubsub without credentials", () => {
  test("answers with one clear error, and the process lives on", async () => {
    const home = mkdtempSync(join(tmpdir(), "millrace-"));
    cleanups.push(async () => rmSync(home, { recursive: true }));
    const script = `
      import { pubsubBroker } from "millrace/pubsub";
      await pubsubBroker().open({ topics: ["topic"], processingGuarantee: "at_least_once" }).catch(({ code, message }) => console.log(code, message));
      await new Promise((resolve) => setTimeout(resolve, 500));
      console.log("alive");`;
    const env: NodeJS.ProcessEnv = { ...process.env, HOME: home, METADATA_SERVER_DETECTION: "none" };
    for (const name of ["PUBSUB_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "APPDATA"])
      delete env[name];
    const args = ["--input-type=module", "--eval", script];
    const { stdout } = await promisify(execFile)(process.execPath, args, { env });
    expect(stdout).toMatch(
      /^ERR_CONFIG pubsub: no credentials and no emulator: .*GOOGLE_APPLICATION_CREDENTIALS.*\nalive\n$/,
    );
  });
});
