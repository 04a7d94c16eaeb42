import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import { pubsubEmulatorJar } from "../../scripts/brokers/cloud-sdk.ts";
import { brokerPorts, startKafka } from "../../scripts/brokers/kafka.ts";
import { emulatorAnswers, startPubSubEmulator } from "../../scripts/brokers/pubsub.ts";
import { isRunning, readState } from "../../scripts/brokers/state.ts";
import { kafkaBrokers, pubsubEmulator } from "../brokers/addresses.ts";

const hasKafka = kafkaBrokers() !== undefined;
const hasPubSub = pubsubEmulator() !== undefined;

/** Runs `scripts/brokers/main.ts` as `npm run brokers` does, without the addresses that this test has got. */
async function brokers(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Map<string, string>> {
  const { KAFKA_BROKERS: _kafka, PUBSUB_EMULATOR_HOST: _pubsub, ...rest } = process.env;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--import", "tsx", "scripts/brokers/main.ts", ...args],
    { env: { ...rest, ...env } },
  );
  const assignments = stdout.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(assignments.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
}

describe.skipIf(!hasKafka || !hasPubSub)("npm run brokers", () => {
  const state = mkdtempSync(join(tmpdir(), "millrace-brokers-"));
  const file = join(state, "brokers.json");

  afterAll(async () => {
    await brokers(["--state", state, "--stop"]);
    rmSync(state, { recursive: true });
  });

  test("starts both, says where they answer, and a second time says the same", async () => {
    const printed = await brokers(["--state", state]);
    const kafka = printed.get("KAFKA_BROKERS") ?? "";
    expect(await brokerPorts(kafka)).toEqual([Number(kafka.split(":")[1])]);
    expect(await emulatorAnswers(printed.get("PUBSUB_EMULATOR_HOST") ?? "")).toBe(true);
    expect(await brokers(["--state", state])).toEqual(printed);
  });

  test("does not take a Kafka of one node for one of three", async () => {
    await expect(brokers(["--state", state, "--nodes", "3"])).rejects.toThrow(/running with 1 node/);
    await expect(brokers(["--state", state, "--nodes", "2"])).rejects.toThrow(/--nodes is 1 or 3, not 2/);
  });

  test("ends a process only if it is the one that was started", () => {
    const [started] = readState(file).kafka?.processes ?? [];
    expect(started !== undefined && isRunning(started)).toBe(true);
    expect(isRunning({ pid: process.pid, mark: started?.mark ?? "" })).toBe(false);
  });

  test("--stop ends what was started and removes its files", async () => {
    const { kafka, pubsub } = readState(file);
    const processes = [...(kafka?.processes ?? []), ...(pubsub?.processes ?? [])];
    expect(processes.map(isRunning)).toEqual([true, true]);
    expect(await brokers(["--state", state, "--stop"])).toEqual(new Map());
    expect(processes.map(isRunning)).toEqual([false, false]);
    expect([file, kafka?.dir ?? "", pubsub?.dir ?? ""].filter(existsSync)).toEqual([]);
  });

  test("takes addresses that are set", async () => {
    const given = { KAFKA_BROKERS: "127.0.0.1:1,127.0.0.1:2", PUBSUB_EMULATOR_HOST: "127.0.0.1:3" };
    expect(await brokers(["--state", state], given)).toEqual(new Map(Object.entries(given)));
    expect(existsSync(file)).toBe(false);
  });
});

test.skipIf(!hasKafka)("a node of a cluster is killed and started again at the same port", async () => {
  const cluster = await startKafka({ nodes: 3 });
  try {
    const [survivor, node] = cluster.nodes;
    const ports = cluster.nodes.map(({ port }) => port).toSorted((a, b) => a - b);
    expect((await brokerPorts(`127.0.0.1:${survivor?.port}`)).toSorted((a, b) => a - b)).toEqual(ports);
    const pid = node?.pid;
    await node?.kill("SIGKILL");
    await expect(brokerPorts(`127.0.0.1:${node?.port}`)).rejects.toThrow();
    await node?.start();
    expect(await brokerPorts(`127.0.0.1:${node?.port}`)).toContain(node?.port);
    expect(node?.pid).not.toBe(pid);
  } finally {
    await cluster.stop();
  }
  expect(existsSync(cluster.dir)).toBe(false);
});

test.skipIf(!hasKafka)("a Kafka that can't start says why", async () => {
  await expect(startKafka({ config: { "log.retention.ms": "never" } })).rejects.toThrow(/log\.retention\.ms/);
});

test.skipIf(!hasPubSub)("the Pub/Sub emulator is restarted at the same port", async () => {
  const emulator = await startPubSubEmulator();
  try {
    const { pid } = emulator;
    await emulator.kill("SIGKILL");
    expect(await emulatorAnswers(emulator.host)).toBe(false);
    await emulator.restart();
    expect(await emulatorAnswers(emulator.host)).toBe(true);
    expect(emulator.pid).not.toBe(pid);
  } finally {
    await emulator.stop();
  }
});

test("without a Cloud SDK, the error says how to install the emulator", () => {
  const path = process.env["PATH"];
  const root = process.env["CLOUDSDK_ROOT"];
  try {
    process.env["PATH"] = "";
    delete process.env["CLOUDSDK_ROOT"];
    expect(pubsubEmulatorJar).toThrow(/gcloud components install pubsub-emulator/);
  } finally {
    process.env["PATH"] = path;
    if (root !== undefined) process.env["CLOUDSDK_ROOT"] = root;
  }
});
