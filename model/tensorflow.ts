import { createRequire } from "node:module";
import util from "node:util";
import { ConfigError } from "millrace";

/**
 * The functions of `@tensorflow/tfjs-node` that the training uses.
 *
 * The types are those of the packages that tfjs-node re-exports: tfjs-node itself is an optional dependency, and this
 * code compiles without it. At run time never mix these functions with an import of `@tensorflow/tfjs-core`: tfjs-node
 * may have its own copy.
 */
export type TensorFlow = typeof import("@tensorflow/tfjs-core") &
  typeof import("@tensorflow/tfjs-layers") & { readonly version: Readonly<Record<string, string>> };

/**
 * Loads TensorFlow for Node, which runs on the calling thread.
 *
 * Errors: `ERR_CONFIG` when `@tensorflow/tfjs-node` is not installed or its native library can't be loaded.
 */
export function loadTensorFlow(): TensorFlow {
  defineIsNullOrUndefined();
  process.env["TF_CPP_MIN_LOG_LEVEL"] ??= "2"; // no lines about the CPU's instruction sets
  try {
    // The package's own types are not used, see above.
    return createRequire(import.meta.url)("@tensorflow/tfjs-node") as TensorFlow;
  } catch (cause) {
    throw new ConfigError("@tensorflow/tfjs-node can't be loaded: run `bash scripts/build-tfjs-node.sh`", { cause });
  }
}

/**
 * tfjs-node 4.22.0 calls `util.isNullOrUndefined`, which Node 22 deprecates with a printed warning and Node 23 removed.
 */
function defineIsNullOrUndefined(): void {
  // The default import is the object that `require("util")` gives, unlike the namespace, which can't be changed.
  const legacy = util as { isNullOrUndefined?: (value: unknown) => boolean };
  legacy.isNullOrUndefined = (value) => value === null || value === undefined;
}
