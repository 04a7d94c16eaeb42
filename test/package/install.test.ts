import { existsSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { beforeAll, describe, expect, inject, test } from "vitest";
import { run } from "./command.ts";
import { install } from "./installed.ts";

const repository = resolve(import.meta.dirname, "../..");
const node = process.execPath;
const entries = inject("entries");

interface Classified {
  readonly engine: string;
  readonly right: number;
  readonly logged: readonly string[];
}

async function classify(project: string, engine: string): Promise<Classified> {
  return JSON.parse(await run(node, ["classify.js", engine], { cwd: project })) as Classified;
}

describe("the tarball in an empty project", () => {
  const project = inject("project");

  test("has every entry", async () => {
    const lines = (await run(node, ["import-all.js", ...entries], { cwd: project })).trim().split("\n");
    expect(lines.map((line) => line.replace(/: .*/, ""))).toEqual(entries);
    expect(lines.filter((line) => line.endsWith(": 0"))).toEqual([]);
  });

  // Also finds imports between the types that don't resolve. `attw` is told to ignore those, since it counts the ones that only
  // Node 10's resolution has.
  test("has types for every entry, which need no skipLibCheck", async () => {
    const imported = entries.map((entry, index) =>
      entry.endsWith(".json")
        ? `import entry${index} from "${entry}" with { type: "json" };`
        : `import * as entry${index} from "${entry}";`,
    );
    const names = entries.map((_, index) => `entry${index}`);
    writeFileSync(join(project, "types.ts"), `${imported.join("\n")}\nexport const all = [${names.join(", ")}];\n`);
    const compilerOptions = {
      module: "nodenext",
      target: "es2022",
      strict: true,
      noEmit: true,
      types: ["node"],
      typeRoots: [join(repository, "node_modules/@types")],
    };
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["types.ts"] }));
    const tsc = join(repository, "node_modules/typescript/bin/tsc");
    expect(await run(node, [tsc, "-p", project], { cwd: project })).toBe("");
  });

  test("runs the onnx engine", async () => {
    expect(await classify(project, "onnx")).toMatchObject({ engine: "onnx", right: expect.closeTo(9, -1) });
  });

  test("has the command", async () => {
    expect(await run("npx", ["millrace", "--help"], { cwd: project })).toContain("Usage: millrace");
    expect(await run("npx", ["millrace", "start", "0", "10", "--engine", "onnx"], { cwd: project })).toMatch(
      /^\[.+\] Model Inference \[0 - 10\]\n(?:[\w/ -]+, ){9}[\w/ -]+\n$/,
    );
  });
});

describe("the tarball in an empty project, without the native engines", () => {
  let project: string;
  beforeAll(async () => {
    project = await install(inject("workspace"), "without-native", inject("tarball"), ["--omit=optional"]);
  });

  test("has no native engine", () => {
    for (const name of ["onnxruntime-node", "@tensorflow/tfjs-node"]) {
      expect(existsSync(join(project, "node_modules", name)), name).toBe(false);
    }
  });

  test("has every entry all the same", async () => {
    const lines = (await run(node, ["import-all.js", ...entries], { cwd: project })).trim().split("\n");
    expect(lines).toHaveLength(entries.length);
  });

  test("falls back to the engine that always installs, and says how to get the fast one", async () => {
    const { engine, logged } = await classify(project, "auto");
    expect(engine).toBe("tfjs-wasm");
    expect(logged.join("\n")).toContain("ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node");
  });
});
