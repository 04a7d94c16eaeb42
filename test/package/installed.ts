import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { TestProject } from "vitest/node";
import { run } from "./command.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Folder for projects and tools; removed at the end. */
    workspace: string;
    /** The packed library. */
    tarball: string;
    /** A project that has the library installed, with the files of `test/package/project` and `examples`. */
    project: string;
    /** Names to import the library's entries by: `millrace`, `millrace/memory`, … */
    entries: readonly string[];
  }
}

const repository = resolve(import.meta.dirname, "../..");

/** Packs the library and installs it in an empty project, for all tests of this folder. */
export async function setup({ provide }: TestProject): Promise<() => void> {
  const workspace = mkdtempSync(join(tmpdir(), "millrace-package-"));
  const packed = await run("npm", ["pack", "--json", "--pack-destination", workspace], { cwd: repository });
  const [{ filename }] = JSON.parse(packed.slice(packed.indexOf("["))) as [{ readonly filename: string }];
  const tarball = join(workspace, filename);
  const project = await install(workspace, "project", tarball);
  cpSync(join(repository, "examples"), join(project, "examples"), { recursive: true });
  provide("workspace", workspace);
  provide("tarball", tarball);
  provide("project", project);
  provide("entries", entries());
  return () => rmSync(workspace, { recursive: true, force: true });
}

/** Makes an empty project, installs the tarball there, and adds the files of `test/package/project`. */
export async function install(
  workspace: string,
  name: string,
  tarball: string,
  flags: readonly string[] = [],
): Promise<string> {
  const project = join(workspace, name);
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), JSON.stringify({ name, private: true, type: "module" }));
  await run("npm", ["install", "--no-audit", "--no-fund", ...flags, tarball], {
    cwd: project,
    env: { ONNXRUNTIME_NODE_INSTALL: "skip" },
    timeoutMs: 280_000,
  });
  cpSync(join(import.meta.dirname, "project"), project, { recursive: true });
  return project;
}

function entries(): readonly string[] {
  const { name, exports } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8")) as {
    readonly name: string;
    readonly exports: Readonly<Record<string, unknown>>;
  };
  return Object.keys(exports).map((path) => name + path.slice(1));
}
