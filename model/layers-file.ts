import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { io } from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";
import { ConfigError } from "millrace";
import { z } from "zod";
import type { TensorFlow } from "./tensorflow.ts";

/** A weight of a layer: `name` is `<layer>/kernel` or `<layer>/bias`, `values` are row-major. */
export interface Weight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** A LayersModel as it lies in its files: the layers as TensorFlow.js writes them, and their weights. */
export interface LayersFile {
  /** Layers in order. `config` is what the layer's class makes of it: field names in snake case. */
  readonly layers: readonly { readonly className: string; readonly config: Readonly<Record<string, unknown>> }[];
  readonly weights: readonly Weight[];
}

const modelSchema = z.object({
  modelTopology: z.object({
    class_name: z.literal("Sequential"),
    config: z.object({
      layers: z.array(z.object({ class_name: z.string(), config: z.record(z.string(), z.unknown()) })),
    }),
  }),
  weightsManifest: z.tuple([
    z.object({
      paths: z.tuple([z.string()]),
      weights: z.array(
        z.object({ name: z.string(), shape: z.array(z.int().nonnegative()), dtype: z.literal("float32") }),
      ),
    }),
  ]),
});

/**
 * Writes a LayersModel into a folder (made if need be) as `model.json` and `weights.bin`, which every TensorFlow.js
 * runtime can load.
 *
 * The bytes depend on the model only. The state of the optimizer is left out.
 */
export async function writeLayersModel(tf: TensorFlow, model: LayersModel, directory: string): Promise<void> {
  const { modelTopology, weightSpecs, weightData, format, generatedBy } = await modelArtifacts(tf, model);
  if (!(weightData instanceof ArrayBuffer)) throw new TypeError("weights: expected one buffer, got several");
  const weightsManifest = [{ paths: ["weights.bin"], weights: weightSpecs }];
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, "weights.bin"), new Uint8Array(weightData));
  const json = JSON.stringify({ format, generatedBy, convertedBy: null, modelTopology, weightsManifest }, null, 2);
  await writeFile(join(directory, "model.json"), `${json}\n`);
}

async function modelArtifacts(tf: TensorFlow, model: LayersModel): Promise<io.ModelArtifacts> {
  return new Promise((resolve, reject) => {
    const handler = tf.io.withSaveHandler((artifacts) => {
      resolve(artifacts);
      return Promise.resolve({ modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: "JSON" } });
    });
    model.save(handler).catch(reject);
  });
}

/**
 * Reads a LayersModel's `model.json` and its one weight file, without TensorFlow.
 *
 * Errors: `ERR_CONFIG` when it is not a sequential model of float32 weights in one file, or when the weight file has
 * another size.
 */
export async function readLayersFile(modelJson: string): Promise<LayersFile> {
  const parsed = modelSchema.safeParse(JSON.parse(await readFile(modelJson, "utf8")));
  if (!parsed.success)
    throw new ConfigError(`${modelJson}: not a sequential LayersModel: ${z.prettifyError(parsed.error)}`);
  const { modelTopology, weightsManifest } = parsed.data;
  const [{ paths, weights: specs }] = weightsManifest;
  const bytes = await readFile(join(modelJson, "..", paths[0]));

  let offset = 0;
  const weights = specs.map(({ name, shape }): Weight => {
    const sizeBytes = 4 * shape.reduce((product, size) => product * size, 1);
    const values = new Float32Array(sizeBytes / 4);
    new Uint8Array(values.buffer).set(bytes.subarray(offset, offset + sizeBytes)); // little-endian, as every machine Node runs on
    offset += sizeBytes;
    return { name, shape, values };
  });
  if (offset !== bytes.length) throw new ConfigError(`${paths[0]}: expected ${offset} bytes, got ${bytes.length}`);
  const layers = modelTopology.config.layers.map((layer) => ({ className: layer.class_name, config: layer.config }));
  return { layers, weights };
}
