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
    const { files } = await loadedBy(node, entry);
    expect(new Set(files.map(packageOf))).toEqual(new Set(["millrace", ...packages]));
  });

  test("importing millrace loads no driver, no engine and nothing of Node", async () => {
    const { files, others } = await loadedBy(node, "millrace");
    const library = join(project, "node_modules", "millrace", "dist", "src");
    const own = files.filter((file) => packageOf(file) === "millrace").map((file) => relative(library, file));
    expect(own).toContain("index.js");
    expect(own.filter((file) => /^(brokers|cli|service|testing|engines.(onnx|tfjs))\b/.test(file))).toEqual([]);
    expect(others).toEqual([]);
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
  await run("npm", ["install", "--no-save", "--no-audit", "--no-fund", "--prefix", folder, `node@${major}`], {
    cwd: folder,
  });
  return join(folder, "node_modules", "node", "bin", process.platform === "win32" ? "node.exe" : "node");
}

/** What importing an entry loads: URLs of files, `node:` builtins and native addons. */
async function loadedBy(node: string, entry: string): Promise<Loaded> {
  const urls = JSON.parse(await run(node, ["list-loaded.js", entry], { cwd: project })) as readonly string[];
  const files = urls.filter((url) => url.startsWith("file:")).map((url) => fileURLToPath(url));
  return { files, others: urls.filter((url) => !url.startsWith("file:") || url.endsWith(".node")) };
}

interface Loaded {
  readonly files: readonly string[];
  readonly others: readonly string[];
}

/** `rxjs` for a file of rxjs. */
function packageOf(file: string): string {
  const [scope = "", name = ""] = file.split(`${sep}node_modules${sep}`)[1]?.split(sep) ?? [];
  return scope.startsWith("@") ? `${scope}/${name}` : scope;
}
