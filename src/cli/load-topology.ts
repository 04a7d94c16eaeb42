import { existsSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ConfigError, messageOf } from "../core/errors.ts";
import type { TopologyModuleOptions } from "../topology/topology-module.ts";

/** What the command line needs of a topology; a module may have its own copy of the library. */
export type LoadedTopology = import("../topology/topology.ts").Topology;

/** What a module may export as `runDefaults`; flags go before it. */
export interface RunDefaults {
  /** Names the dead letter topic, when no application is named. */
  readonly applicationId?: string;
  /** Consumer group, when neither group nor application is named. */
  readonly groupId?: string;
  /** Name of a topic at Pub/Sub, by the name that the topology uses. */
  readonly pubsubTopics?: Readonly<Record<string, string>>;
}

export interface LoadedModule {
  readonly topology: LoadedTopology;
  readonly defaults: RunDefaults;
}

/** Loads a module and takes or makes its topology. Errors: `ERR_CONFIG` when it can't be loaded, or exports something else. */
export async function loadModule(module: string, options: TopologyModuleOptions): Promise<LoadedModule> {
  const { default: loaded, runDefaults = {} } = await importModule(module);
  const made: unknown =
    typeof loaded === "function" ? await (loaded as (options: TopologyModuleOptions) => unknown)(options) : loaded;
  if (isTopology(made)) return { topology: made, defaults: runDefaults };
  throw new ConfigError(
    `${module}: expected a default export that is a Topology or (options) => Topology, got ${describe(made)}`,
  );
}

interface Namespace {
  readonly default?: unknown;
  readonly runDefaults?: RunDefaults;
}

async function importModule(module: string): Promise<Namespace> {
  const file = fileOf(module);
  const specifier = file === undefined ? module : pathToFileURL(file).href;
  try {
    // What a module exports is known by its names only.
    return (await importAny(specifier, file)) as Namespace;
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
