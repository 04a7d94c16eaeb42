import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Logger } from "millrace";
import { afterAll, describe, expect, test } from "vitest";
import { network } from "./engine-files.ts";
import { feedsOf, noise } from "./engine-images.ts";

type Auto = Pick<typeof import("millrace"), "autoEngine">;

const onnx = { model: network.onnx };
const tfjs = { model: network.layers, inputScale: 1 / 255 };
const wasmPackages = ["tfjs-core", "tfjs-layers", "tfjs-backend-wasm"].map((name) => `@tensorflow/${name}`);

const projects: string[] = [];
afterAll(() => projects.forEach((project) => rmSync(project, { recursive: true })));

/** The built library in a project of its own, in which only these packages are installed. */
async function autoWith(packages: readonly string[]): Promise<Auto> {
  const project = mkdtempSync(join(tmpdir(), "millrace-"));
  projects.push(project);
  const library = join(project, "node_modules", "millrace");
  for (const folder of ["core", "engines"])
    cpSync(resolve("dist", "src", folder), join(library, folder), { recursive: true });
  writeFileSync(join(library, "package.json"), '{ "type": "module" }');
  for (const name of packages) {
    const link = join(project, "node_modules", name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(resolve("node_modules", name), link, "junction");
  }
  // The built file of the source named in the type.
  return (await import(pathToFileURL(join(library, "engines", "auto.js")).href)) as Auto;
}

function listener(): { readonly logger: Logger; readonly lines: string[] } {
  const lines: string[] = [];
  const at = (level: string) => (_fields: object, message: string) => void lines.push(`${level}: ${message}`);
  return {
    lines,
    logger: { trace: at("trace"), debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") },
  };
}

describe("autoEngine", () => {
  test("names every engine and what to do when none loads", async () => {
    const { autoEngine } = await autoWith([]);
    const error = await autoEngine({ onnx, tfjs })().catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: "ERR_CONFIG" });
    const reasons = String(error).split(" · ");
    expect(reasons).toEqual([
      expect.stringMatching(/onnx: onnxruntime-node is not installed.* ONNXRUNTIME_NODE_INSTALL=skip npm install /),
      expect.stringMatching(/^tfjs-node: @tensorflow\/tfjs-node is not installed.* npm install @tensorflow\/tfjs-node/),
      expect.stringMatching(/^tfjs-wasm: @tensorflow\/tfjs-core is not installed/),
    ]);
  });

  test("takes the first that loads, and says why the ones before it did not", async () => {
    const { autoEngine } = await autoWith(wasmPackages);
    const { logger, lines } = listener();
    const engine = await autoEngine({ onnx, tfjs, logger })();
    expect(engine.info.name).toBe("tfjs-wasm");
    expect(lines).toEqual([
      expect.stringMatching(
        /^warn: engine onnx did not load: onnxruntime-node is not installed.*ONNXRUNTIME_NODE_INSTALL=skip/,
      ),
      expect.stringMatching(/^warn: engine tfjs-node did not load: @tensorflow\/tfjs-node is not installed/),
      expect.stringMatching(/^info: engine tfjs-wasm 4\.\d+\.\d+ loaded$/),
    ]);
    const { scores } = await engine.run(feedsOf(noise(2), 0, 2));
    expect(scores?.shape).toEqual([2, 10]);
    await engine.close();
  });

  test("goes on when a model can't be loaded", async () => {
    const { autoEngine } = await autoWith(wasmPackages);
    const { logger, lines } = listener();
    const engine = await autoEngine({ onnx: { model: "no-such.onnx" }, tfjs, prefer: ["onnx", "tfjs-wasm"], logger })();
    await engine.close();
    expect(engine.info.name).toBe("tfjs-wasm");
    expect(lines).toHaveLength(2);
  });

  test("tries only what it has a model for", async () => {
    const { autoEngine } = await autoWith(wasmPackages);
    const { logger, lines } = listener();
    const engine = await autoEngine({ tfjs, prefer: ["tfjs-wasm", "onnx"], logger })();
    await engine.close();
    expect(lines).toEqual([expect.stringContaining("info: engine tfjs-wasm")]);
    await expect(autoEngine({ tfjs, prefer: ["onnx"] })()).rejects.toMatchObject({
      code: "ERR_CONFIG",
      message: /option "onnx"/,
    });
  });

  test("needs a model", async () => {
    const { autoEngine } = await autoWith([]);
    expect(() => autoEngine({})).toThrow(expect.objectContaining({ code: "ERR_CONFIG" }));
  });
});
