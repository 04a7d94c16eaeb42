import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, sep } from "node:path";
import { importPackage } from "../pool/native-package.ts";
import type { TfjsBackend } from "./worker-options.ts";

type Core = typeof import("@tensorflow/tfjs-core");
type Layers = typeof import("@tensorflow/tfjs-layers");
type Wasm = typeof import("@tensorflow/tfjs-backend-wasm");

/** The functions of TensorFlow.js that the worker uses, all from one copy of the library. */
export interface TensorFlow {
  /** Version of the package that executes the model. */
  readonly version: string;
  readonly tensor: Core["tensor"];
  readonly tidy: Core["tidy"];
  readonly memory: Core["memory"];
  readonly fromMemory: Core["io"]["fromMemory"];
  readonly loadLayersModel: Layers["loadLayersModel"];
}

const nodePackage = "@tensorflow/tfjs-node";
// Source: dlfcn.h of glibc, musl and macOS. Node passes the flag on but has no constant for it.
const RTLD_NODELETE: Readonly<Partial<Record<NodeJS.Platform, number>>> = { linux: 0x1000, darwin: 0x80 };
const wasmPackage = "@tensorflow/tfjs-backend-wasm";

/** Loads TensorFlow.js with one back-end. Errors: `PackageError`. */
export function loadTensorFlow(backend: TfjsBackend): Promise<TensorFlow> {
  return backend === "tfjs-node" ? loadNode() : loadWasm();
}

async function loadNode(): Promise<TensorFlow> {
  defineIsNullOrUndefined();
  keepLibraryLoaded();
  // tfjs-node exports core and layers together, from the copies that it uses itself. Its own types may be absent: it is
  // an optional package.
  const tf = (await importPackage(nodePackage)) as Core &
    Layers & { readonly version: Readonly<Record<string, string>> };
  return {
    version: tf.version["tfjs-node"] ?? "unknown",
    tensor: tf.tensor,
    tidy: tf.tidy,
    memory: tf.memory,
    fromMemory: tf.io.fromMemory,
    loadLayersModel: tf.loadLayersModel,
  };
}

async function loadWasm(): Promise<TensorFlow> {
  // `importPackage` knows no types; these are the packages' own.
  const core = (await importPackage("@tensorflow/tfjs-core")) as Core;
  const layers = (await importPackage("@tensorflow/tfjs-layers")) as Layers;
  const wasm = (await importPackage(wasmPackage)) as Wasm;
  // The files lie beside the package's main file; without a path the package would look for them beside the main script
  // of the process.
  wasm.setWasmPaths(dirname(createRequire(import.meta.url).resolve(wasmPackage)) + sep);
  if (!(await core.setBackend("wasm"))) throw new Error("the WebAssembly back-end of TensorFlow.js does not start");
  return {
    version: wasm.version_wasm,
    tensor: core.tensor,
    tidy: core.tidy,
    memory: core.memory,
    fromMemory: core.io.fromMemory,
    loadLayersModel: layers.loadLayersModel,
  };
}

/**
 * tfjs-node 4.22 calls `util.isNullOrUndefined`, which Node 22 deprecates (with a printed warning) and Node 23 removed.
 */
function defineIsNullOrUndefined(): void {
  // The CommonJS object, as tfjs-node gets it: the ES module's namespace can't be changed.
  const util = createRequire(import.meta.url)("node:util") as { isNullOrUndefined?: (value: unknown) => boolean };
  util.isNullOrUndefined = (value) => value === null || value === undefined;
}

/**
 * Node unloads an addon when the last thread that loaded it ends. TensorFlow's library has exit handlers, which point
 * to nothing then: the process would crash at its end (SIGSEGV, exit code 139; measured with 4.22 when a worker had
 * loaded the package and run nothing). So the library is opened with the flag that keeps it. `process` belongs to this
 * worker, nobody else sees the change.
 */
function keepLibraryLoaded(): void {
  const noDelete = RTLD_NODELETE[process.platform] ?? 0;
  const dlopen = process.dlopen.bind(process);
  process.dlopen = (module: object, filename: string, flags = constants.dlopen.RTLD_LAZY): void => {
    dlopen(module, filename, flags | noDelete);
  };
}
