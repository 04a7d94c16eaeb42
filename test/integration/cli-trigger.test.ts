import { randomUUID } from "node:crypto";
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { until } from "../../scripts/brokers/until.ts";
import { kafkaBrokers, pubsubEmulator } from "../brokers/addresses.ts";
import { Command } from "./command.ts";
import { plainPubSub, skipped } from "./plain-clients.ts";
import { pageSchema, runSchema } from "./service-fixture.ts";

const missing = kafkaBrokers() === undefined || pubsubEmulator() === undefined;
const commands: Command[] = [];

function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): Command {
  const command = new Command(args, env);
  commands.push(command);
  return command;
}

afterEach(async () => {
  for (const command of commands) command.child.kill("SIGKILL");
  await Promise.all(commands.splice(0).map((command) => command.end()));
});

describe("millrace trigger", () => {
  test("without a broker says how to name one", async () => {
    const command = start(["trigger"], { KAFKA_BROKERS: "", PUBSUB_EMULATOR_HOST: "", PUBSUB_PROJECT_ID: "" });
    expect(await command.end()).toBe(1);
    expect(command.stderr).toContain("error: no broker: give --broker kafka or --broker pubsub, or set KAFKA_BROKERS");
  });

  test("refuses the embedded broker, which no other process can read", async () => {
    const command = start(["trigger", "--broker", "memory"]);
    expect(await command.end()).toBe(1);
    expect(command.stderr).toContain("Allowed choices are kafka, pubsub");
  });

  test("lives without its broker, and ends with a signal", async () => {
    const command = start(["trigger", "--port", "0", "--broker", "kafka", "--kafka-brokers", "127.0.0.1:1"]);
    await command.prints(/http:\/\/\S+ takes runs for kafka/);
    const address = /http:\/\/\S+/.exec(command.stdout)?.[0] ?? "";
    const answer = await fetch(`${address}/kafka/push-to-consumer?start_idx=0&end_idx=1`);
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "5"]);
    const since = performance.now();
    command.child.kill("SIGTERM");
    expect(await command.end()).toBe(0);
    expect(performance.now() - since).toBeLessThan(8_000);
  });

  test.skipIf(missing && skipped("millrace trigger (needs Kafka and the Pub/Sub emulator)"))(
    "runs on two brokers are answered by workers in other processes",
    async () => {
      const id = `trigger-${randomUUID()}`;
      const env = { PUBSUB_PROJECT_ID: id };
      const group = ["--results-group", `${id}-results`];
      const trigger = start(
        ["trigger", "--broker", "kafka", "--broker", "pubsub", "--create-topics", "--port", "0", ...group],
        env,
      );
      const worker = [
        "run",
        "topologies/embedded-inference",
        "--sink",
        "topic",
        "--create-topics",
        "--group-id",
        id,
        "--verbose",
      ];
      await trigger.prints(/http:\/\/\S+ takes runs for kafka, pubsub/);
      const address = /http:\/\/\S+/.exec(trigger.stdout)?.[0] ?? "";
      let state = "";
      const isReady = async (): Promise<boolean> => {
        const answer = await fetch(`${address}/readyz`);
        state = await answer.text();
        return answer.status === 200;
      };
      await until(isReady, { what: () => `readiness; ${state}\n${trigger.stderr}` });
      start([...worker, "--broker", "kafka", "--application-id", "embedded-inference"], env);
      start([...worker, "--broker", "pubsub", "--application-id", "embedded-inference"], env);
      const client = plainPubSub(pubsubEmulator() ?? "", id);
      const subscription = `MODEL-INFERENCE-${id}`; // what is published before it is there, nobody gets
      await until(() => client.hasSubscription(subscription), { what: subscription });
      await client.close();
      for (const broker of ["kafka", "pubsub"]) {
        const answer = await fetch(`${address}/runs?wait=60s`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ broker, start_idx: 0, end_idx: 5 }),
        });
        expect(answer.status, commands.map(({ stderr }) => stderr).join("\n")).toBe(200);
        expect(runSchema.parse(await answer.json())).toMatchObject({ broker, status: "done", done: 5 });
        const pushed = await fetch(`${address}/${broker}/push-to-consumer?start_idx=0&end_idx=1`);
        expect(await pushed.text()).toBe(`{"message_queue":"${broker}","start_idx":0,"end_idx":1}`);
      }
      const list = z.object({ runs: z.array(runSchema) });
      await until(
        async () =>
          list.parse(await (await fetch(`${address}/runs`)).json()).runs.every(({ status }) => status === "done"),
        { what: "the end of all" },
      );
      trigger.child.kill("SIGINT");
      expect(await trigger.end()).toBe(0);
    },
  );
});

test.skipIf(missing && skipped("millrace start on Pub/Sub (needs the emulator)"))(
  "millrace start opens with the one run [0, 10), done, although the broker takes its time",
  async () => {
    const env = { PUBSUB_PROJECT_ID: `start-${randomUUID()}` };
    const command = start(["start", "--broker", "pubsub", "--create-topics", "--port", "0"], env);
    await command.prints(/Model Inference \[0 - 10\]/);
    const address = /http:\/\/\S+/.exec(command.stdout)?.[0] ?? "";
    const runs = async (): Promise<z.infer<typeof pageSchema>["runs"]> =>
      pageSchema.parse(await (await fetch(`${address}/runs`)).json()).runs;
    await until(async () => (await runs()).some(({ status }) => status === "done"), { what: "the run", ms: 20_000 });
    expect((await runs()).map(({ status, start_idx, end_idx }) => [status, start_idx, end_idx])).toEqual([
      ["done", 0, 10],
    ]);
  },
);
