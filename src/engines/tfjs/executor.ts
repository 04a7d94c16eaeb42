import type { NamedTensors, Tensor, TensorInfo, TensorType } from "../../core/engine.ts";
import type { ModelReport, WorkerStats } from "../pool/protocol.ts";
import type { Executor } from "../pool/serve.ts";
import { readLayersModel } from "./layers-model.ts";
import { loadTensorFlow, type TensorFlow } from "./tensorflow.ts";
import type { TfjsWorkerOptions } from "./worker-options.ts";

type LayersModel = Awaited<ReturnType<TensorFlow["loadLayersModel"]>>;
type TfTensor = ReturnType<TensorFlow["tensor"]>;

/**
 * Loads a LayersModel. Errors: `PackageError` when TensorFlow.js can't be imported; anything else is about the model.
 */
export async function loadLayers(options: TfjsWorkerOptions): Promise<Executor> {
  const tf = await loadTensorFlow(options.backend);
  const { sha256, ...artifacts } = await readLayersModel(options.model);
  const model = await tf.loadLayersModel(tf.fromMemory(artifacts));
  return new LayersExecutor(tf, model, options, {
    version: tf.version,
    modelSha256: sha256,
    inputs: inputsOf(model, options),
    outputs: outputsOf(model, options),
  });
}

class LayersExecutor implements Executor {
  readonly report: ModelReport;
  readonly #tf: TensorFlow;
  readonly #model: LayersModel;
  readonly #scale: number | undefined;

  constructor(tf: TensorFlow, model: LayersModel, options: TfjsWorkerOptions, report: ModelReport) {
    this.#tf = tf;
    this.#model = model;
    this.#scale = options.inputScale;
    this.report = report;
  }

  run(feeds: NamedTensors): NamedTensors {
    const outputs: Record<string, Tensor> = {};
    // Frees every tensor made inside, when the model throws as well.
    this.#tf.tidy(() => {
      const results = this.#model.predictOnBatch(this.#inputs(feeds));
      for (const [index, result] of [results].flat().entries()) {
        const info = this.report.outputs[index];
        if (info === undefined) throw new Error(`the model gave an output more than it declares: ${index + 1}`);
        // `tensorInfo` let no dtype through whose data is an array of strings.
        outputs[info.name] = { type: info.type, shape: [...result.shape], data: result.dataSync() };
      }
    });
    return outputs;
  }

  stats(): WorkerStats {
    const { numTensors, numBytes } = this.#tf.memory();
    return { numTensors, numBytes };
  }

  release(): void {
    this.#model.dispose();
  }

  #inputs(feeds: NamedTensors): TfTensor | TfTensor[] {
    const tensors = this.report.inputs.map(({ name }) => this.#input(name, feeds[name]));
    const [first] = tensors;
    return tensors.length === 1 && first !== undefined ? first : tensors;
  }

  #input(name: string, feed: Tensor | undefined): TfTensor {
    if (feed === undefined || feed.data instanceof BigInt64Array) throw new Error(`input "${name}" is missing`);
    if (this.#scale === undefined) return this.#tf.tensor(feed.data, [...feed.shape]);
    return this.#tf.tensor(scaled(feed.data, this.#scale), [...feed.shape]);
  }
}

function scaled(values: Uint8Array | Float32Array | Int32Array, scale: number): Float32Array {
  const floats = new Float32Array(values.length);
  for (let index = 0; index < values.length; index += 1) floats[index] = (values[index] ?? 0) * scale;
  return floats;
}

function inputsOf(model: LayersModel, options: TfjsWorkerOptions): readonly TensorInfo[] {
  const names = model.inputs.length === 1 ? [options.inputName] : model.inputNames;
  return model.inputs.map((input, index) => {
    const info = tensorInfo(names[index] ?? input.name, input);
    return options.inputScale === undefined ? info : { ...info, type: "uint8" };
  });
}

function outputsOf(model: LayersModel, options: TfjsWorkerOptions): readonly TensorInfo[] {
  const names = model.outputs.length === 1 ? [options.outputName] : model.outputNames;
  return model.outputs.map((output, index) => tensorInfo(names[index] ?? output.name, output));
}

function tensorInfo(name: string, tensor: LayersModel["inputs"][number]): TensorInfo {
  return { name, type: tensorType(name, tensor.dtype), shape: tensor.shape.map((size) => size ?? -1) };
}

function tensorType(name: string, dtype: string): TensorType {
  if (dtype === "float32" || dtype === "int32") return dtype;
  if (dtype === "bool") return "uint8";
  throw new Error(`"${name}" is ${dtype}: expected float32, int32 or bool`);
}
