import { existsSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ConfigError, messageOf } from "../core/errors.ts";
import type { TopologyModuleOptions } from "../topology/topology-module.ts";

/** What the command line needs of a topology; a module may have its own copy of the library. */
export type LoadedTopology = import("../topology/topology.ts").Topology;

/** Loads a module and takes or makes its topology. Errors: `ERR_CONFIG` when it can't be loaded, or exports something else. */
export async function loadTopology(module: string, options: TopologyModuleOptions): Promise<LoadedTopology> {
  const loaded = await importModule(module);
  const made: unknown =
    typeof loaded === "function" ? await (loaded as (options: TopologyModuleOptions) => unknown)(options) : loaded;
  if (isTopology(made)) return made;
  throw new ConfigError(
    `${module}: expected a default export that is a Topology or (options) => Topology, got ${describe(made)}`,
  );
}

async function importModule(module: string): Promise<unknown> {
  const file = fileOf(module);
  const specifier = file === undefined ? module : pathToFileURL(file).href;
  try {
    const namespace = (await importAny(specifier, file)) as { readonly default?: unknown };
    return namespace.default;
  } catch (cause) {
    throw new ConfigError(`${module} can't be loaded: ${messageOf(cause)}`, { cause });
  }
}

/** A path to a file, or to a folder with an index. */
function fileOf(module: string): string | undefined {
  const path = resolve(module);
  if (!existsSync(path)) return undefined;
  if (statSync(path).isFile()) return path;
  return ["index.js", "index.mjs", "index.ts", "index.mts"]
    .map((name) => join(path, name))
    .find((name) => existsSync(name));
}

async function importAny(specifier: string, file: string | undefined): Promise<unknown> {
  if (file === undefined) return import(packageEntry(specifier));
  if (!/\.m?ts$/.test(file)) return import(specifier);
  await registerTypeScript();
  return import(specifier);
}

/** A package of the project that the command is called in, not of this library. */
function packageEntry(specifier: string): string {
  return pathToFileURL(createRequire(join(process.cwd(), "package.json")).resolve(specifier)).href;
}

/** Node 22.18 and later read TypeScript themselves; for older ones the project's own tsx is used. */
async function registerTypeScript(): Promise<void> {
  const { typescript } = process.features as { readonly typescript?: string | false };
  if (typeof typescript === "string") return;
  try {
    const { register } = await import("tsx/esm/api");
    register();
  } catch (cause) {
    throw new ConfigError(
      `Node ${process.versions.node} reads no TypeScript: install tsx in the project (npm install --save-dev tsx), compile the module, or use Node 22.18 or later`,
      { cause },
    );
  }
}

function isTopology(value: unknown): value is LoadedTopology {
  return typeof value === "object" && value !== null && "nodes" in value && "describe" in value;
}

function describe(value: unknown): string {
  return value === undefined ? "no default export" : `a ${typeof value}`;
}
