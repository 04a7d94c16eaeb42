import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join, relative, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { beforeAll, describe, expect, inject, test } from "vitest";
import { run } from "./command.ts";

const project = inject("project");
const entries = inject("entries");
const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
const running = Number(process.versions.node.split(".")[0]);

/** The packages that importing an entry may load, beside this library. Everything else waits until it is asked for. */
const loads: Readonly<Record<string, readonly string[]>> = {
  millrace: ["rxjs"],
  "millrace/memory": ["rxjs"],
  "millrace/onnx": [],
  "millrace/tfjs": [],
  "millrace/testing": ["rxjs"],
};

describe.each([20, 22, 24])("on Node %i", (major) => {
  let node: string;
  beforeAll(async () => {
    node = major === running ? process.execPath : await installNode(major);
    expect(await run(node, ["--version"], { cwd: project })).toMatch(`v${major}.`);
  });

  test("every entry loads", async () => {
    const lines = (await run(node, ["import-all.js", ...entries], { cwd: project })).trim().split("\n");
    expect(lines).toHaveLength(entries.length);
  });

  test.each(Object.entries(loads))("importing %s loads no other package than %o", async (entry, packages) => {
    const loaded = await loadedBy(node, entry);
    expect([...new Set(loaded.map(packageOf))].filter((name) => name !== "millrace")).toEqual(packages);
  });

  test("importing millrace loads no driver, no engine and nothing of Node", async () => {
    const loaded = await loadedBy(node, "millrace");
    const library = join(project, "node_modules", "millrace", "dist", "src");
    const own = loaded.filter((url) => packageOf(url) === "millrace").map((url) => relative(library, fileURLToPath(url)));
    expect(own.filter((file) => /^(brokers|cli|service|testing|engines\/(onnx|tfjs))\b/.test(file))).toEqual([]);
    expect(loaded.filter((url) => url.startsWith("node:") || url.endsWith(".node"))).toEqual([]);
  });

  test("the onnx engine runs", async () => {
    expect(JSON.parse(await run(node, ["classify.js", "onnx"], { cwd: project }))).toMatchObject({ engine: "onnx" });
  });

  test("the example runs", async () => {
    const printed = await run(node, ["--import", tsx, "examples/embedded-inference.ts"], { cwd: project });
    expect(printed).toMatch(/\d+ of 2542 images right/);
  });
});

/** The npm package `node` has the binary in it. */
async function installNode(major: number): Promise<string> {
  const folder = join(inject("workspace"), `node-${major}`);
  mkdirSync(folder);
  await run("npm", ["install", "--no-save", "--no-audit", "--no-fund", "--prefix", folder, `node@${major}`], { cwd: folder });
  return join(folder, "node_modules", "node", "bin", process.platform === "win32" ? "node.exe" : "node");
}

async function loadedBy(node: string, entry: string): Promise<readonly string[]> {
  const urls = JSON.parse(await run(node, ["list-loaded.js", entry], { cwd: project })) as readonly string[];
  expect(urls.length).toBeGreaterThan(0);
  return urls;
}

/** `rxjs` for a file of rxjs; builtins and addons stand for themselves. */
function packageOf(url: string): string {
  if (!url.startsWith("file:")) return url;
  const [, path] = fileURLToPath(url).split(`${sep}node_modules${sep}`);
  const [scope = url, name] = path?.split(sep) ?? [];
  return scope.startsWith("@") ? `${scope}/${name}` : scope;
}
