import type { Engine, EngineSource } from "../core/engine.ts";
import { ConfigError } from "../core/errors.ts";
import { silentLogger, type Logger } from "../core/logger.ts";
import type { OnnxEngineOptions } from "./onnx/index.ts";
import type { TfjsEngineOptions } from "./tfjs/index.ts";

/** The engines of the library, fastest first. */
export type AutoEngineName = "onnx" | "tfjs-node" | "tfjs-wasm";

/** Options of `autoEngine`: the same network in the forms that the engines read. At least one of `onnx` and `tfjs`. */
export interface AutoEngineOptions {
  /** The network as an ONNX file. Without it `onnx` is not tried. */
  readonly onnx?: OnnxEngineOptions;
  /** The network as a LayersModel. Without it `tfjs-node` and `tfjs-wasm` are not tried. */
  readonly tfjs?: TfjsEngineOptions;
  /** The engines to try, in this order. @default ["onnx", "tfjs-node", "tfjs-wasm"] */
  readonly prefer?: readonly AutoEngineName[];
  /** Is told which engine was taken (`info`) and why each one before it was not (`warn`). @default silent */
  readonly logger?: Logger;
}

const fastestFirst: readonly AutoEngineName[] = ["onnx", "tfjs-node", "tfjs-wasm"];

/**
 * Opens the first engine that loads.
 *
 * Errors: `ERR_CONFIG` when none does; the message says why for each of them.
 */
export function autoEngine(options: AutoEngineOptions): EngineSource {
  const order = options.prefer ?? fastestFirst;
  const logger = options.logger ?? silentLogger;
  if (options.onnx === undefined && options.tfjs === undefined) {
    throw new ConfigError('autoEngine needs a model: set the option "onnx", "tfjs" or both');
  }
  return async () => {
    const failures: Failure[] = [];
    for (const name of order) {
      try {
        const engine = await open(name, options);
        tell(logger, engine, failures);
        return engine;
      } catch (cause) {
        // Anything else is a defect, or a crash that another engine would only hide.
        if (!(cause instanceof ConfigError)) throw cause;
        failures.push({ name, cause });
      }
    }
    const reasons = failures.map(({ name, cause }) => `${name}: ${cause.message}`);
    throw new ConfigError(`no engine loads. ${reasons.join(" · ")}`, { cause: failures[0]?.cause });
  };
}

interface Failure {
  readonly name: AutoEngineName;
  readonly cause: ConfigError;
}

async function open(name: AutoEngineName, { onnx, tfjs }: AutoEngineOptions): Promise<Engine> {
  if (name === "onnx") {
    if (onnx === undefined) throw new ConfigError('no ONNX file was given (option "onnx")');
    const { onnxEngine } = await import("./onnx/index.ts");
    return onnxEngine(onnx)();
  }
  if (tfjs === undefined) throw new ConfigError('no LayersModel was given (option "tfjs")');
  const { tfjsNodeEngine, tfjsWasmEngine } = await import("./tfjs/index.ts");
  return name === "tfjs-node" ? tfjsNodeEngine(tfjs)() : tfjsWasmEngine(tfjs)();
}

function tell(logger: Logger, engine: Engine, failures: readonly Failure[]): void {
  for (const { name, cause } of failures) {
    logger.warn({ engine: name, reason: cause.message }, `engine ${name} did not load: ${cause.message}`);
  }
  const { name, version } = engine.info;
  logger.info({ engine: name, version }, `engine ${name} ${version} loaded`);
}
