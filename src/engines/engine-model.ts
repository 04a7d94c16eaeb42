import type { Engine, EngineSource, NamedTensors } from "../core/engine.ts";
import { ConfigError, InferenceError, StreamsError, messageOf } from "../core/errors.ts";
import type { Model, ModelInfo, ModelSource } from "../core/model.ts";

/**
 * Translates between a model's values and the tensors of its engine.
 *
 * What `encode` or `decode` throws becomes `ERR_INFERENCE`, with it as cause.
 */
export interface TensorCodec<I, O> {
  /** How many rows (images) the input has: at least 1. Needs `slice` and `join`. @default 1 row for each input */
  rows?(input: I): number;
  /** The rows `from` (inclusive) to `to` (exclusive) of the input. */
  slice?(input: I, from: number, to: number): I;
  /** Puts the outputs of consecutive slices of one input together, in row order. */
  join?(outputs: readonly O[]): O;
  /**
   * One batch of all inputs, in order; `rows` is the sum of their rows. Allocate its buffers anew: they move to the
   * engine.
   */
  encode(inputs: readonly I[], rows: number): NamedTensors;
  /** One output per input, in the same order, from the engine's output for the whole batch. */
  decode(outputs: NamedTensors, inputs: readonly I[]): readonly O[];
}

/** Options of `engineModel`. */
export interface EngineModelOptions {
  /** The model's name for people, stamped on each result: `cnn`. */
  readonly name: string;
}

/**
 * Makes a model out of an engine and a codec. The engine opens with the model and closes with it.
 *
 * Errors: those of the engine; `ERR_INFERENCE` when the codec throws or gives another number of outputs than there were
 * inputs.
 */
export function engineModel<I, O>(
  source: EngineSource,
  codec: TensorCodec<I, O>,
  options: EngineModelOptions,
): ModelSource<I, O> {
  if (codec.rows !== undefined && (codec.slice === undefined || codec.join === undefined)) {
    throw new ConfigError(`model ${options.name}: a codec with rows needs slice and join`);
  }
  return async () => new EngineModel(await source(), codec, options.name);
}

class EngineModel<I, O> implements Model<I, O> {
  readonly #engine: Engine;
  readonly #codec: TensorCodec<I, O>;
  readonly #name: string;

  constructor(engine: Engine, codec: TensorCodec<I, O>, name: string) {
    this.#engine = engine;
    this.#codec = codec;
    this.#name = name;
  }

  // Read each time: an engine that swaps its model has another hash afterwards.
  get info(): ModelInfo {
    const { name: engine, modelSha256: sha256, concurrency } = this.#engine.info;
    return { name: this.#name, sha256, engine, concurrency };
  }

  rows(input: I): number {
    return this.#codec.rows?.(input) ?? 1;
  }

  slice(input: I, from: number, to: number): I {
    if (this.#codec.slice !== undefined) return this.#codec.slice(input, from, to);
    throw new InferenceError(`model ${this.#name}: an input of one row can't be cut at ${from} to ${to}`);
  }

  join(outputs: readonly O[]): O {
    if (this.#codec.join !== undefined) return this.#codec.join(outputs);
    throw new InferenceError(`model ${this.#name}: ${outputs.length} outputs of an input of one row`);
  }

  async predict(inputs: readonly I[]): Promise<readonly O[]> {
    if (inputs.length === 0) return [];
    const feeds = this.#guard("encode the inputs", () => {
      const rows = inputs.reduce((sum, input) => sum + this.rows(input), 0);
      return this.#codec.encode(inputs, rows);
    });
    const results = await this.#engine.run(feeds);
    const outputs = this.#guard("decode the outputs", () => this.#codec.decode(results, inputs));
    if (outputs.length === inputs.length) return outputs;
    throw new InferenceError(
      `model ${this.#name}: the codec decoded ${outputs.length} outputs for ${inputs.length} inputs, expected one each`,
    );
  }

  close(): Promise<void> {
    return this.#engine.close();
  }

  #guard<T>(doing: string, call: () => T): T {
    try {
      return call();
    } catch (cause) {
      if (cause instanceof StreamsError) throw cause;
      throw new InferenceError(`model ${this.#name}: the codec can't ${doing}: ${messageOf(cause)}`, { cause });
    }
  }
}
