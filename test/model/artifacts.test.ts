import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { InferenceSession } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { cnnArtifacts, readCnnMetadata } from "../../model/artifacts.ts";
import { exportOnnx } from "../../model/export-onnx.ts";
import { dataFiles } from "../../model/files.ts";
import { labels } from "../../model/labels.ts";
import { readLayersFile } from "../../model/layers-file.ts";

const metadata = readCnnMetadata();

describe("the committed network", () => {
  test.each(["onnx", "layers"] as const)("the %s file's SHA-256 and size are those of the metadata", async (form) => {
    const { file, weights, weightsSha256, sizeBytes } = metadata[form];
    const folder = new URL("./", cnnArtifacts.metadata);
    expect(new URL(file, folder)).toEqual(cnnArtifacts[form]);
    const bytes = await readFile(new URL(weights, folder));
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(weightsSha256);
    expect(bytes.length).toBe(sizeBytes);
  });

  test("the ONNX file is what the exporter makes of the LayersModel", async () => {
    const exported = exportOnnx(await readLayersFile(fileURLToPath(cnnArtifacts.layers)));
    expect(Buffer.compare(exported, await readFile(cnnArtifacts.onnx))).toBe(0);
  });

  test("the ONNX file declares the input and output of the metadata", async () => {
    const session = await InferenceSession.create(fileURLToPath(cnnArtifacts.onnx));
    const declared = (values: readonly InferenceSession.ValueMetadata[]): unknown =>
      values.map(
        (value) =>
          value.isTensor && {
            name: value.name,
            type: value.type,
            shape: value.shape.map((size) => (size === "n" ? -1 : size)),
          },
      );
    expect(declared(session.inputMetadata)).toEqual([{ name: "pixels", type: "uint8", shape: [-1, 28, 28, 1] }]);
    expect(declared(session.outputMetadata)).toEqual([{ name: "scores", type: "float32", shape: [-1, 10] }]);
    expect(metadata.onnx).toMatchObject({
      input: { name: "pixels", type: "uint8", shape: [-1, 28, 28, 1] },
      output: { name: "scores", type: "float32", shape: [-1, 10] },
    });
  });

  test("the LayersModel has the layers and the parameters of the description", async () => {
    const file = await readLayersFile(fileURLToPath(cnnArtifacts.layers));
    expect(file.layers.map(({ className }) => className)).toEqual([
      "Conv2D",
      "MaxPooling2D",
      "Flatten",
      "Dense",
      "Dense",
    ]);
    expect(file.layers[0]!.config).toMatchObject({
      filters: 32,
      kernel_size: [3, 3],
      padding: "valid",
      activation: "relu",
      batch_input_shape: [null, 28, 28, 1],
    });
    expect(file.layers[1]!.config).toMatchObject({ pool_size: [2, 2], strides: [2, 2] });
    expect(file.layers[3]!.config).toMatchObject({ units: 100, activation: "relu" });
    expect(file.layers[4]!.config).toMatchObject({ units: 10, activation: "softmax" });
    expect(file.weights.reduce((total, { values }) => total + values.length, 0)).toBe(metadata.parameters);
  });

  test("the metadata names the labels, the data and the training", async () => {
    expect(metadata.labels).toEqual(labels);
    const files = [dataFiles.train, dataFiles.test].flatMap(({ images, labels: classes }) => [images, classes]);
    expect(metadata.data.sha256).toEqual(Object.fromEntries(files.map(({ name, sha256 }) => [name, sha256])));
    const { history, chosenEpoch, epochs, trainingImages, validationImages, command } = metadata.training;
    expect(history.map(({ epoch }) => epoch)).toEqual(Array.from({ length: epochs }, (_, index) => index + 1));
    const best = Math.max(...history.map(({ validationAccuracy }) => validationAccuracy));
    expect(history[chosenEpoch - 1]!.validationAccuracy).toBe(best);
    expect(metadata.accuracy.validation).toBe(best);
    expect(trainingImages + validationImages).toBe(dataFiles.train.count);
    const script = command.split(" ").at(-1)!;
    expect((await stat(new URL(`../../${script}`, import.meta.url))).isFile()).toBe(true);
  });
});
