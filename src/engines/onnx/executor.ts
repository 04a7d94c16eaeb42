import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { NamedTensors, Tensor, TensorData, TensorInfo, TensorType } from "../../core/engine.ts";
import type { Executor } from "../pool/serve.ts";
import { importOnnxRuntime, type OnnxRuntime, type OnnxSession, type OnnxTensor, type OnnxValue } from "./runtime.ts";
import type { OnnxWorkerOptions } from "./worker-options.ts";

const tensorTypes: readonly string[] = ["uint8", "float32", "int32", "int64"] satisfies readonly TensorType[];

/** Loads an ONNX file. Errors: `PackageError` without `onnxruntime-node`; anything else is about the file. */
export async function loadOnnx({ model, threads, spinning }: OnnxWorkerOptions): Promise<Executor> {
  const runtime = await importOnnxRuntime();
  const modelSha256 = createHash("sha256")
    .update(await readFile(model))
    .digest("hex");
  // By path, not from the bytes just read: a model may keep its weights in files beside it, which ONNX Runtime finds by
  // the path alone.
  const session = await runtime.InferenceSession.create(model, {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    extra: { session: { intra_op: { allow_spinning: spinning ? "1" : "0" } } },
  });
  const inputs = session.inputMetadata.map((value) => tensorInfo("input", value));
  const outputs = session.outputMetadata.map((value) => tensorInfo("output", value));
  const report = { version: runtime.env.versions.node ?? "unknown", modelSha256, inputs, outputs };
  return new OnnxExecutor(runtime, session, report);
}

class OnnxExecutor implements Executor {
  readonly report: Executor["report"];
  readonly #runtime: OnnxRuntime;
  readonly #session: OnnxSession;

  constructor(runtime: OnnxRuntime, session: OnnxSession, report: Executor["report"]) {
    this.#runtime = runtime;
    this.#session = session;
    this.report = report;
  }

  async run(feeds: NamedTensors): Promise<NamedTensors> {
    const given: Record<string, OnnxTensor> = {};
    for (const [name, { type, shape, data }] of Object.entries(feeds))
      given[name] = new this.#runtime.Tensor(type, data, shape);
    const results = await this.#session.run(given);
    const outputs: Record<string, Tensor> = {};
    for (const [name, { dims, type, data }] of Object.entries(results)) {
      // The types were checked against the file when it was loaded.
      outputs[name] = { type: type as TensorType, shape: [...dims], data: data as TensorData };
    }
    return outputs;
  }

  stats(): Readonly<Record<string, number>> {
    return {};
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}

function tensorInfo(role: string, value: OnnxValue): TensorInfo {
  const { name, type, shape } = value;
  if (type === undefined || shape === undefined || !tensorTypes.includes(type)) {
    throw new Error(`${role} "${name}" is ${type ?? "not a tensor"}: expected one of ${tensorTypes.join(", ")}`);
  }
  // Just checked to be one of the list.
  return { name, type: type as TensorType, shape: shape.map((size) => (typeof size === "number" ? size : -1)) };
}
