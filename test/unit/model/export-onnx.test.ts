import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError } from "millrace";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { exportOnnx } from "../../../model/export-onnx.ts";
import { type LayersFile, readLayersFile } from "../../../model/layers-file.ts";

type Layer = LayersFile["layers"][number];

const flatten: Layer = { className: "Flatten", config: { name: "flat", batch_input_shape: [null, 2, 2, 1] } };
const dense: Layer = { className: "Dense", config: { name: "out", units: 1, activation: "linear", use_bias: true } };
const conv: Layer = {
  className: "Conv2D",
  config: {
    name: "conv",
    batch_input_shape: [null, 2, 2, 1],
    filters: 1,
    kernel_size: [1, 1],
    strides: [1, 1],
    dilation_rate: [1, 1],
    padding: "valid",
    data_format: "channels_last",
    activation: "relu",
    use_bias: true,
  },
};
const weight = (name: string, ...values: number[]): LayersFile["weights"][number] => ({
  name,
  shape: [values.length],
  values: Float32Array.from(values),
});
const weights = [
  weight("out/kernel", 1, 2, 3, 4),
  weight("out/bias", 5),
  weight("conv/kernel", 1),
  weight("conv/bias", 0),
];

const changed = (layer: Layer, config: Record<string, unknown>): Layer => ({
  ...layer,
  config: { ...layer.config, ...config },
});

describe("exportOnnx", () => {
  test("writes the same bytes each time", () => {
    const bytes = exportOnnx({ layers: [conv, flatten, dense], weights });
    expect(bytes).toEqual(exportOnnx({ layers: [conv, flatten, dense], weights }));
    const text = Buffer.from(bytes).toString("latin1");
    for (const name of ["millrace", "pixels", "scores", "Cast", "Reshape", "Conv", "Relu", "Flatten", "Gemm"])
      expect(text).toContain(name);
  });

  test("leaves the weights that it was given as they are", () => {
    exportOnnx({ layers: [flatten, dense], weights });
    expect(weights[0]!.values).toEqual(Float32Array.of(1, 2, 3, 4));
  });

  test.each<[string, readonly Layer[], string]>([
    [
      "a class that it does not know",
      [flatten, { className: "LSTM", config: { name: "memory" } }, dense],
      "export: layer memory: can't export the class LSTM",
    ],
    [
      "a class named as something that every object has",
      [{ className: "toString", config: flatten.config }],
      "can't export the class toString",
    ],
    [
      "an activation that it does not know",
      [flatten, changed(dense, { activation: "selu" })],
      "export: layer out: can't export it:",
    ],
    ["a kernel with holes", [changed(conv, { dilation_rate: [2, 2] })], "export: layer conv: can't export it:"],
    [
      "channels that come first",
      [changed(conv, { data_format: "channels_first" })],
      "export: layer conv: can't export it:",
    ],
    ["a layer without bias", [flatten, changed(dense, { use_bias: false })], "export: layer out: can't export it:"],
    ["rows where images are needed", [flatten, dense, conv], "export: layer conv: expected images, got rows"],
    ["images where rows are needed", [conv, dense], "export: layer out: expected rows, got images: Flatten is missing"],
    ["a network that ends in images", [conv], "export: the last layer is not Dense"],
    ["a network that ends flat", [conv, flatten], "export: the last layer is not Dense"],
    [
      "an input that is no image",
      [changed(dense, { batch_input_shape: [null, 4] })],
      "export: the first layer has no batch_input_shape",
    ],
    [
      "a weight that is missing",
      [flatten, changed(dense, { name: "other" })],
      "export: the weight other/kernel is missing",
    ],
  ])("refuses %s", (_, layers, message) => {
    const attempt = (): unknown => exportOnnx({ layers, weights });
    expect(attempt).toThrow(ConfigError);
    expect(attempt).toThrow(message);
  });
});

describe("readLayersFile", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "millrace-layers-"));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const model = {
    modelTopology: {
      class_name: "Sequential",
      config: { layers: [{ class_name: "Flatten", config: { name: "flat" } }] },
    },
    weightsManifest: [
      {
        paths: ["w.bin"],
        weights: [
          { name: "a", shape: [2], dtype: "float32" },
          { name: "b", shape: [], dtype: "float32" },
        ],
      },
    ],
  };

  async function read(json: unknown, values: Float32Array): Promise<LayersFile> {
    const path = join(directory, "model.json");
    await writeFile(path, JSON.stringify(json));
    await writeFile(join(directory, "w.bin"), new Uint8Array(values.buffer));
    return readLayersFile(path);
  }

  test("reads layers and weights", async () => {
    expect(await read(model, Float32Array.of(1, 2, 3))).toEqual({
      layers: [{ className: "Flatten", config: { name: "flat" } }],
      weights: [
        { name: "a", shape: [2], values: Float32Array.of(1, 2) },
        { name: "b", shape: [], values: Float32Array.of(3) },
      ],
    });
  });

  test.each([2, 4])("refuses a weight file of %i values in place of 3", async (count) => {
    await expect(read(model, new Float32Array(count))).rejects.toThrow(
      new ConfigError(`w.bin: expected 12 bytes, got ${4 * count}`),
    );
  });

  test("refuses what is not a sequential model", async () => {
    const other = { ...model, modelTopology: { ...model.modelTopology, class_name: "Model" } };
    await expect(read(other, new Float32Array(3))).rejects.toThrow("model.json: not a sequential LayersModel");
  });
});
