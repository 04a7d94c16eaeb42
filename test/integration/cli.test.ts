import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { Command } from "./command.ts";

const onFreePort = ["start", "--port", "0"];

/** Where a command says that it listens. */
async function addressOf(command: Command): Promise<string> {
  await command.prints(/http:\/\/\S+/);
  return /http:\/\/\S+/.exec(command.stdout)?.[0] ?? "";
}

const heading = /^\[\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}\] Model Inference \[(\d+) - (\d+)\]$/gm;

function ranges(stdout: string): string[] {
  return [...stdout.matchAll(heading)].map(([, start, end]) => `${start}-${end}`);
}

describe("millrace start", () => {
  test("shows a page, opens with [0, 10) already run, and serves until a signal, whatever becomes of standard input", async () => {
    const command = new Command([...onFreePort]);
    command.child.stdin.end();
    await command.prints(/\[0 - 10\]\n.+\n/);
    const [, labels] = command.stdout.slice(command.stdout.indexOf("Model Inference")).split("\n");
    expect(labels?.split(", ")).toHaveLength(10);
    const address = await addressOf(command);
    const { runs } = z
      .object({ runs: z.array(z.object({ status: z.string(), end_idx: z.number() })) })
      .parse(await (await fetch(`${address}/runs`)).json());
    expect(runs).toEqual([{ status: "done", end_idx: 10 }]);
    expect(await (await fetch(`${address}/`)).text()).toMatch(/^<!doctype html>/);
    const pushed = await fetch(`${address}/memory/push-to-consumer?start_idx=2000&end_idx=3500`);
    expect(await pushed.text()).toBe('{"message_queue":"memory","start_idx":2000,"end_idx":3500}');
    await command.prints(/\[3000 - 3500\]\n.+\n/);
    expect(ranges(command.stdout)).toEqual(["0-10", "2000-3000", "3000-3500"]);
    command.child.kill("SIGTERM");
    expect(await command.end()).toBe(0);
    await expect(fetch(`${address}/healthz`)).rejects.toThrow("fetch failed");
  });

  test.each(["SIGINT", "SIGTERM"] as const)(
    "%s drains and exits 0, although a browser holds a connection",
    async (signal) => {
      const command = new Command([...onFreePort]);
      await command.prints(/\[0 - 10\]\n.+\n/);
      const events = await fetch(`${await addressOf(command)}/events`);
      command.child.kill(signal);
      expect(await command.end()).toBe(0);
      await events.text(); // ends
    },
  );

  test("a signal in the middle of a long range ends the process in order, never by an abort", async () => {
    const command = new Command(["start", "0", "10000"]);
    await command.prints(/Model Inference \[0 - 1000\]/);
    command.child.kill("SIGTERM");
    expect(await command.end()).toBe(0);
  });

  test("asks for the token that is in the environment", async () => {
    const command = new Command([...onFreePort], { MILLRACE_TOKEN: "s3cret" });
    await command.prints(/\[0 - 10\]\n.+\n/);
    const address = await addressOf(command);
    expect((await fetch(`${address}/runs`)).status).toBe(401);
    expect((await fetch(`${address}/runs`, { headers: { authorization: "Bearer s3cret" } })).status).toBe(200);
    command.child.kill("SIGTERM");
    expect(await command.end()).toBe(0);
  });

  test("a port that is taken is named, and how to take another", async () => {
    const first = new Command([...onFreePort]);
    const port = new URL(await addressOf(first)).port;
    const second = new Command(["start", "--port", port]);
    expect(await second.end()).toBe(1);
    expect(second.stderr).toContain(`error: port ${port} of 127.0.0.1 is taken: give another one with --port`);
    first.child.kill("SIGTERM");
    await first.end();
  });

  test("with a range runs it alone and exits, without reading standard input", async () => {
    const command = new Command(["start", "0", "3"]);
    expect(await command.end()).toBe(0);
    expect(ranges(command.stdout)).toEqual(["0-3"]);
  });

  test("with a range that is none says why", async () => {
    const command = new Command(["start", "7", "3"]);
    expect(await command.end()).toBe(0);
    expect(command.stderr).toMatch(
      /dead-lettered: source: end_idx: must be above start_idx \(at memory:INFERENCE\/0@0\)/,
    );
    expect(command.stdout).toBe("");
  });

  test("refuses half a range with the usage", async () => {
    const command = new Command(["start", "7"]);
    expect(await command.end()).toBe(1);
    expect(command.stderr).toContain("give both ends of the range");
  });

  test("without the data set draws garments and says so in one line", async () => {
    const empty = await mkdtemp(join(tmpdir(), "millrace-"));
    // No network, on any machine.
    const NODE_OPTIONS = '--import="data:text/javascript,globalThis.fetch=()=>Promise.reject(new TypeError(1))"';
    const command = new Command(["start", "0", "3"], { FASHION_MNIST_DIR: "", XDG_CACHE_HOME: empty, NODE_OPTIONS });
    expect(await command.end()).toBe(0);
    expect(ranges(command.stdout)).toEqual(["0-3"]);
    expect(command.stderr.trim().split("\n")).toEqual([expect.stringMatching(/^warn: SYNTHETIC IMAGES/)]);
  });
});

describe("millrace run and describe", () => {
  test("run any module's topology: each line of standard input is a record", async () => {
    const folder = await mkdtemp(join(tmpdir(), "millrace-"));
    const entry = pathToFileURL("dist/src/index.js").href;
    await writeFile(
      join(folder, "shout.mjs"),
      `import { StreamsBuilder, stringSerde } from ${JSON.stringify(entry)};
       const builder = new StreamsBuilder();
       builder.stream("words", { value: stringSerde }).mapValues((word) => word.toUpperCase()).print({ label: "shout" });
       export default builder.build();`,
    );
    const command = new Command(["run", join(folder, "shout.mjs")]);
    command.child.stdin.end("one\ntwo\n");
    expect(await command.end()).toBe(0);
    expect(command.stdout).toBe("[shout]: null, ONE\n[shout]: null, TWO\n");
  });

  test("run the reference topology from its TypeScript source", async () => {
    const command = new Command(["run", "topologies/embedded-inference"]);
    command.child.stdin.end('{"start_idx":0,"end_idx":3}\n');
    expect(await command.end()).toBe(0);
    expect(ranges(command.stdout)).toEqual(["0-3"]);
  });

  test("a failing topology ends with its error and exit code 1", async () => {
    const folder = await mkdtemp(join(tmpdir(), "millrace-"));
    const entry = pathToFileURL("dist/src/index.js").href;
    await writeFile(
      join(folder, "broken.mjs"),
      `import { StreamsBuilder, stringSerde } from ${JSON.stringify(entry)};
       const builder = new StreamsBuilder();
       builder.stream("words", { value: stringSerde }).foreach(() => { throw new Error("no such word"); });
       export default () => builder.build();`,
    );
    const command = new Command(["run", join(folder, "broken.mjs")]);
    command.child.stdin.write("one\n");
    expect(await command.end()).toBe(1);
    expect(command.stderr).toContain("no such word (at memory:words/0@0)");
  });

  test.each([
    ["nowhere.mjs", /nowhere.mjs can't be loaded/],
    ["package.json", /can't be loaded/],
    [
      "dist/src/core/errors.js",
      /expected a default export that is a Topology or \(options\) => Topology, got no default export/,
    ],
  ])("a module that is none: %s", async (module, reason) => {
    const command = new Command(["describe", module]);
    expect(await command.end()).toBe(1);
    expect(command.stderr).toMatch(reason);
  });

  test.each([
    ["text", /^Topologies:\n {3}Sub-topology: 0\n {4}Source: source \(topics: \[INFERENCE\]\)/],
    ["mermaid", /^flowchart TD/],
    ["dot", /^digraph/],
  ])("describe --format %s", async (format, start) => {
    const command = new Command(["describe", "topologies/embedded-inference", "--format", format]);
    expect(await command.end()).toBe(0);
    expect(command.stdout).toMatch(start);
  });
});
