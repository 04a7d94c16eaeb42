import { describe, expect, test } from "vitest";
import type { Engine, NamedTensors } from "../../../src/core/engine.ts";
import { EngineError, InferenceError } from "../../../src/core/errors.ts";
import type { Model } from "../../../src/core/model.ts";
import { engineModel, type TensorCodec } from "../../../src/engines/engine-model.ts";

/** A row is a number; the model gives its double. */
const codec: TensorCodec<readonly number[], readonly number[]> = {
  rows: (input) => input.length,
  slice: (input, from, to) => input.slice(from, to),
  join: (outputs) => outputs.flat(),
  encode: (inputs, rows) => ({ x: { type: "float32", shape: [rows], data: Float32Array.from(inputs.flat()) } }),
  decode: (outputs, inputs) => {
    const values = [...(outputs["y"]?.data ?? [])].map(Number);
    return inputs.map((input) => values.splice(0, input.length));
  },
};

class DoublingEngine implements Engine {
  info = {
    name: "fake",
    version: "1.0.0",
    modelSha256: "abc",
    inputs: [],
    outputs: [],
    concurrency: 3,
    isMainThread: false,
  };
  closed = 0;
  readonly shapes: (readonly number[])[] = [];

  async run({ x }: NamedTensors): Promise<NamedTensors> {
    if (x === undefined) throw new EngineError("the worker died");
    this.shapes.push(x.shape);
    return {
      y: { type: "float32", shape: x.shape, data: Float32Array.from([...x.data].map((value) => 2 * Number(value))) },
    };
  }

  async close(): Promise<void> {
    this.closed += 1;
  }
}

interface Opened {
  readonly engine: DoublingEngine;
  readonly model: Model<readonly number[], readonly number[]>;
}

async function open(changes: Partial<typeof codec> = {}): Promise<Opened> {
  const engine = new DoublingEngine();
  return { engine, model: await engineModel(async () => engine, { ...codec, ...changes }, { name: "double" })() };
}

describe("engineModel", () => {
  test("runs all inputs as one batch and gives each its outputs", async () => {
    const { engine, model } = await open();
    expect(await model.predict([[1], [2, 3], [4, 5, 6]])).toEqual([[2], [4, 6], [8, 10, 12]]);
    expect(engine.shapes).toEqual([[6]]);
  });

  test("runs nothing for no inputs", async () => {
    const { engine, model } = await open();
    expect(await model.predict([])).toEqual([]);
    expect(engine.shapes).toEqual([]);
  });

  test("counts, cuts and joins as the codec says", async () => {
    const { model } = await open();
    expect(model.rows([1, 2, 3])).toBe(3);
    expect(model.slice([1, 2, 3], 1, 3)).toEqual([2, 3]);
    expect(model.join([[1], [2, 3]])).toEqual([1, 2, 3]);
  });

  test("says what the engine executes now, not when it opened", async () => {
    const { engine, model } = await open();
    expect(model.info).toEqual({ name: "double", sha256: "abc", engine: "fake", concurrency: 3 });
    engine.info = { ...engine.info, modelSha256: "def" };
    expect(model.info.sha256).toBe("def");
  });

  test("closes its engine", async () => {
    const { engine, model } = await open();
    await model.close();
    expect(engine.closed).toBe(1);
  });

  test("wraps what the codec throws", async () => {
    const broken = (): never => {
      throw new TypeError("no such pixel");
    };
    const encoding = await open({ encode: broken });
    await expect(encoding.model.predict([[1]])).rejects.toMatchObject({
      code: "ERR_INFERENCE",
      message: "model double: the codec can't encode the inputs: no such pixel",
      cause: { name: "TypeError" },
    });
    const decoding = await open({ decode: broken });
    await expect(decoding.model.predict([[1]])).rejects.toMatchObject({
      code: "ERR_INFERENCE",
      message: /decode the outputs/,
    });
  });

  test("lets errors of the library through", async () => {
    const refusal = new InferenceError("28 × 28 pixels, please", { shape: [3] });
    const { model } = await open({
      encode: () => {
        throw refusal;
      },
    });
    await expect(model.predict([[1]])).rejects.toBe(refusal);
    const dying = await open({ encode: () => ({}) });
    await expect(dying.model.predict([[1]])).rejects.toMatchObject({ code: "ERR_ENGINE" });
  });

  test("refuses another number of outputs than inputs", async () => {
    const { model } = await open({ decode: () => [[1]] });
    await expect(model.predict([[1], [2]])).rejects.toMatchObject({
      code: "ERR_INFERENCE",
      message: "model double: the codec decoded 1 outputs for 2 inputs, expected one each",
    });
  });
});
