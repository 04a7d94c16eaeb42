import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as core from "@tensorflow/tfjs-core";
import * as layers from "@tensorflow/tfjs-layers";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { exportOnnx } from "../../model/export-onnx.ts";
import { readLayersFile, writeLayersModel } from "../../model/layers-file.ts";
import { seededRandom } from "../../model/random.ts";
import { startWasm } from "./runtimes.ts";

type Layer = InstanceType<typeof layers.layers.Layer>;

const { conv2d, maxPooling2d, flatten, dense } = layers.layers;
const tf = { ...core, ...layers, version: {} };

let directory: string;
beforeAll(async () => {
  await startWasm();
  directory = await mkdtemp(join(tmpdir(), "millrace-export-"));
});
afterAll(() => rm(directory, { recursive: true }));

const networks: readonly [string, [number, number, number], () => Layer[]][] = [
  ["rows only", [5, 4, 3], () => [flatten({ inputShape: [5, 4, 3] }), dense({ units: 4 })]],
  [
    "one channel, valid",
    [9, 7, 1],
    () => [
      conv2d({ inputShape: [9, 7, 1], filters: 4, kernelSize: 3, activation: "relu" }),
      flatten(),
      dense({ units: 3, activation: "softmax" }),
    ],
  ],
  [
    "three channels, same, stride 2",
    [9, 8, 3],
    () => [
      conv2d({ inputShape: [9, 8, 3], filters: 5, kernelSize: [3, 2], strides: 2, padding: "same" }),
      flatten(),
      dense({ units: 3 }),
    ],
  ],
  [
    "pools",
    [11, 10, 2],
    () => [
      maxPooling2d({ inputShape: [11, 10, 2], poolSize: 3, strides: 2, padding: "same" }),
      conv2d({ filters: 3, kernelSize: 2, strides: [1, 2] }),
      maxPooling2d({ poolSize: [2, 1] }),
      flatten(),
      dense({ units: 2 }),
    ],
  ],
  [
    "deep",
    [12, 12, 1],
    () => [
      conv2d({ inputShape: [12, 12, 1], filters: 4, kernelSize: 3, padding: "same", activation: "relu" }),
      conv2d({ filters: 6, kernelSize: 5 }),
      flatten(),
      dense({ units: 7, activation: "relu" }),
      dense({ units: 3, activation: "softmax" }),
    ],
  ],
];

test.each(networks)(
  "ONNX Runtime computes what TensorFlow.js does: %s",
  async (name, [height, width, channels], build) => {
    const model = layers.sequential({ layers: build() });
    const random = seededRandom(name.length);
    // Biases begin as zero: other values, so that a lost one shows.
    model.setWeights(
      model.getWeights().map(({ shape }) =>
        core.tensor(
          Float32Array.from({ length: core.util.sizeFromShape(shape) }, () => random.between(-0.5, 0.5)),
          shape,
        ),
      ),
    );
    await writeLayersModel(tf, model, directory);
    const session = await InferenceSession.create(exportOnnx(await readLayersFile(join(directory, "model.json"))));

    const shape = [3, height, width, channels];
    const pixels = Uint8Array.from({ length: 3 * height * width * channels }, () => random.integer(256));
    const { scores } = await session.run({ pixels: new Tensor("uint8", pixels, shape) });
    const expected = core.tidy(() =>
      (
        model.predict(
          core.tensor(
            Float32Array.from(pixels, (pixel) => pixel / 255),
            shape,
          ),
        ) as core.Tensor
      ).dataSync(),
    );
    expect(scores!.data).toHaveLength(expected.length);
    Array.from(scores!.data as Float32Array).forEach((score, index) => expect(score).toBeCloseTo(expected[index]!, 4));
  },
);
