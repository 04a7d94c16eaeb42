import { ConfigError } from "millrace";
import { z } from "zod";
import type { LayersFile } from "./layers-file.ts";
import { type Attribute, attributeType, dataType, encodeOnnx, type OnnxNode, type OnnxTensor } from "./onnx-proto.ts";

/** Name of the graph's input. */
export const inputName = "pixels";

/** Name of the graph's output. */
export const outputName = "scores";

/** What flows between two layers: images in planes (`[n, channels, height, width]`), or rows (`[n, units]`). */
type Flow =
  | { readonly kind: "image"; readonly height: number; readonly width: number; readonly channels: number }
  | { readonly kind: "rows"; readonly units: number; readonly flattened?: Extract<Flow, { kind: "image" }> };

/** Adds a layer to the graph, given what flows in, and answers what flows out. */
type LayerWriter = (graph: GraphWriter, config: unknown, flow: Flow) => Flow;

const writers: ReadonlyMap<string, LayerWriter> = new Map([
  ["Conv2D", writeConv],
  ["MaxPooling2D", writeMaxPool],
  ["Flatten", writeFlatten],
  ["Dense", writeDense],
]);

/**
 * Translates a sequential LayersModel for images into the content of an `.onnx` file that takes pixels.
 *
 * Input `pixels`: uint8 `[n, height, width, channels]`; the graph itself makes floats of them, divides by 255 and moves
 * the channels to the front, where the LayersModel takes float32 in 0..1. Output `scores`: float32 `[n, units]`, as the
 * last layer gives them. The division is done here, on the kernel of the first layer that has one: as a node of the
 * graph it took a third of the time of a batch of 32.
 * Layers: Conv2D, MaxPooling2D, Flatten, Dense, with the activations linear, relu and softmax; channels last, no
 * dilation.
 *
 * Errors: `ERR_CONFIG` for a layer, an activation or an option that is not one of these, by its name, and when the last
 * layer is not Dense.
 * Source: operators of opset 13, docs/Operators.md in onnx/onnx; padding `same` as TensorFlow defines it (the odd one
 * goes to the end).
 */
export function exportOnnx(file: LayersFile): Uint8Array {
  const graph = new GraphWriter(file);
  const inputShape = z
    .object({ batch_input_shape: z.tuple([z.null(), z.int(), z.int(), z.int()]) })
    .safeParse(file.layers[0]?.config).data?.batch_input_shape;
  if (inputShape === undefined)
    throw new ConfigError("export: the first layer has no batch_input_shape [null, height, width, channels]");
  const [, height, width, channels] = inputShape;

  let flow = writeInput(graph, { kind: "image", height, width, channels });
  for (const { className, config } of file.layers) {
    const write = writers.get(className);
    if (write === undefined)
      throw new ConfigError(`export: layer ${String(config["name"])}: can't export the class ${className}`);
    flow = write(graph, config, flow);
  }
  if (flow.kind !== "rows" || flow.flattened !== undefined)
    throw new ConfigError("export: the last layer is not Dense");
  return encodeOnnx({
    name: "main",
    node: graph.nodesInto(outputName),
    initializer: graph.constants,
    input: [{ name: inputName, elemType: dataType.uint8, shape: ["n", height, width, channels] }],
    output: [{ name: outputName, elemType: dataType.float, shape: ["n", flow.units] }],
  });
}

/** Collects nodes and constants; each node takes the value that the one before it gave. */
class GraphWriter {
  readonly constants: OnnxTensor[] = [];
  readonly #nodes: OnnxNode[] = [];
  readonly #file: LayersFile;
  #value: string = inputName;
  #divisor = 255;

  constructor(file: LayersFile) {
    this.#file = file;
  }

  add(opType: string, name: string, constants: readonly string[] = [], attribute: readonly Attribute[] = []): void {
    const value = `${name}:0`; // so that a layer may have the name of the graph's output
    this.#nodes.push({ name, opType, input: [this.#value, ...constants], output: [value], attribute });
    this.#value = value;
  }

  floats(name: string, dims: readonly number[], values: Float32Array): string {
    return this.#constant(
      name,
      dims,
      dataType.float,
      new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
    );
  }

  integers(name: string, values: readonly number[]): string {
    const data = BigInt64Array.from(values, BigInt);
    return this.#constant(name, [values.length], dataType.int64, new Uint8Array(data.buffer));
  }

  /** The values of a layer's kernel. Those of the first one are divided, since its input is not: pixels are 0..255. */
  kernel(layer: string): Float32Array {
    const divisor = this.#divisor;
    this.#divisor = 1;
    return this.weight(`${layer}/kernel`).map((value) => value / divisor);
  }

  /** The values of a layer's weight. */
  weight(name: string): Float32Array {
    const found = this.#file.weights.find((weight) => weight.name === name);
    if (found === undefined) throw new ConfigError(`export: the weight ${name} is missing`);
    return found.values;
  }

  /** The nodes, with the last value under this name. */
  nodesInto(name: string): readonly OnnxNode[] {
    return this.#nodes.map((node) => (node.output[0] === this.#value ? { ...node, output: [name] } : node));
  }

  #constant(name: string, dims: readonly number[], type: number, rawData: Uint8Array): string {
    this.constants.push({ name, dims, dataType: type, rawData });
    return name;
  }
}

function writeInput(graph: GraphWriter, flow: Extract<Flow, { kind: "image" }>): Flow {
  graph.add("Cast", "floats", [], [{ name: "to", type: attributeType.int, i: dataType.float }]);
  // With one channel the bytes are in the same order either way, and a new shape is enough.
  if (flow.channels === 1)
    graph.add("Reshape", "planes", [graph.integers("planes_shape", [-1, 1, flow.height, flow.width])]);
  else graph.add("Transpose", "planes", [], [ints("perm", [0, 3, 1, 2])]);
  return flow;
}

const pair = z.tuple([z.int().positive(), z.int().positive()]);
const windowSchema = z.object({
  name: z.string(),
  strides: pair,
  padding: z.enum(["valid", "same"]),
  data_format: z.literal("channels_last"),
});
const activation = z.enum(["linear", "relu", "softmax"]);
const convSchema = windowSchema.extend({
  filters: z.int(),
  kernel_size: pair,
  dilation_rate: z.tuple([z.literal(1), z.literal(1)]),
  activation,
  use_bias: z.literal(true),
});
const poolSchema = windowSchema.extend({ pool_size: pair });
const flattenSchema = z.object({ name: z.string() });
const denseSchema = z.object({ name: z.string(), units: z.int(), activation, use_bias: z.literal(true) });

function writeConv(graph: GraphWriter, config: unknown, flow: Flow): Flow {
  const layer = check(convSchema, config);
  const image = expectImage(layer.name, flow);
  const { pads, height, width } = slide(image, layer.kernel_size, layer);
  const [kernelHeight, kernelWidth] = layer.kernel_size;
  const from = [kernelHeight, kernelWidth, image.channels, layer.filters];
  const kernel = transpose(graph.kernel(layer.name), from, [3, 2, 0, 1]);
  const constants = [
    graph.floats(`${layer.name}/kernel`, [layer.filters, image.channels, kernelHeight, kernelWidth], kernel),
    graph.floats(`${layer.name}/bias`, [layer.filters], graph.weight(`${layer.name}/bias`)),
  ];
  graph.add("Conv", layer.name, constants, [
    ints("kernel_shape", layer.kernel_size),
    ints("strides", layer.strides),
    ints("pads", pads),
  ]);
  writeActivation(graph, layer.name, layer.activation);
  return { kind: "image", height, width, channels: layer.filters };
}

function writeMaxPool(graph: GraphWriter, config: unknown, flow: Flow): Flow {
  const layer = check(poolSchema, config);
  const image = expectImage(layer.name, flow);
  const { pads, height, width } = slide(image, layer.pool_size, layer);
  graph.add(
    "MaxPool",
    layer.name,
    [],
    [ints("kernel_shape", layer.pool_size), ints("strides", layer.strides), ints("pads", pads)],
  );
  return { kind: "image", height, width, channels: image.channels };
}

function writeFlatten(graph: GraphWriter, config: unknown, flow: Flow): Flow {
  const { name } = check(flattenSchema, config);
  const image = expectImage(name, flow);
  graph.add("Flatten", name, [], [{ name: "axis", type: attributeType.int, i: 1 }]);
  return { kind: "rows", units: image.height * image.width * image.channels, flattened: image };
}

function writeDense(graph: GraphWriter, config: unknown, flow: Flow): Flow {
  const layer = check(denseSchema, config);
  if (flow.kind !== "rows")
    throw new ConfigError(`export: layer ${layer.name}: expected rows, got images: Flatten is missing`);
  let kernel = graph.kernel(layer.name);
  if (flow.flattened !== undefined) {
    // The kernel's rows are in the order height, width, channels; what is flattened here has its channels first.
    const { height, width, channels } = flow.flattened;
    kernel = transpose(kernel, [height, width, channels, layer.units], [2, 0, 1, 3]);
  }
  const constants = [
    graph.floats(`${layer.name}/kernel`, [flow.units, layer.units], kernel),
    graph.floats(`${layer.name}/bias`, [layer.units], graph.weight(`${layer.name}/bias`)),
  ];
  graph.add("Gemm", layer.name, constants);
  writeActivation(graph, layer.name, layer.activation);
  return { kind: "rows", units: layer.units };
}

function writeActivation(graph: GraphWriter, layer: string, name: z.infer<typeof activation>): void {
  if (name === "relu") graph.add("Relu", `${layer}/relu`);
  if (name === "softmax")
    graph.add("Softmax", `${layer}/softmax`, [], [{ name: "axis", type: attributeType.int, i: 1 }]);
}

function check<T>(schema: z.ZodType<T>, config: unknown): T {
  const parsed = schema.safeParse(config);
  if (parsed.success) return parsed.data;
  const name = flattenSchema.safeParse(config).data?.name ?? "without a name";
  throw new ConfigError(`export: layer ${name}: can't export it: ${z.prettifyError(parsed.error)}`);
}

function expectImage(layer: string, flow: Flow): Extract<Flow, { kind: "image" }> {
  if (flow.kind !== "image") throw new ConfigError(`export: layer ${layer}: expected images, got rows`);
  return flow;
}

/** Size of what a sliding window leaves of an image, and the padding (top, left, bottom, right) that it needs. */
function slide(
  image: { readonly height: number; readonly width: number },
  window: readonly [number, number],
  { strides, padding }: { readonly strides: readonly [number, number]; readonly padding: "valid" | "same" },
): { readonly pads: readonly number[]; readonly height: number; readonly width: number } {
  const along = (size: number, axis: 0 | 1): { size: number; begin: number; end: number } => {
    if (padding === "valid") return { size: Math.ceil((size - window[axis] + 1) / strides[axis]), begin: 0, end: 0 };
    const steps = Math.ceil(size / strides[axis]);
    const total = Math.max((steps - 1) * strides[axis] + window[axis] - size, 0);
    return { size: steps, begin: total >> 1, end: total - (total >> 1) };
  };
  const [rows, columns] = [along(image.height, 0), along(image.width, 1)];
  return { pads: [rows.begin, columns.begin, rows.end, columns.end], height: rows.size, width: columns.size };
}

/** Copies a row-major array so that dimension `order[i]` of `shape` becomes dimension `i`. */
function transpose(values: Float32Array, shape: readonly number[], order: readonly number[]): Float32Array {
  const strides = shape.map((_, dimension) => shape.slice(dimension + 1).reduce((product, size) => product * size, 1));
  const sizes = order.map((dimension) => shape[dimension]!);
  const steps = order.map((dimension) => strides[dimension]!);
  return new Float32Array(values.length).map((_, position) => {
    let rest = position;
    let source = 0;
    for (let dimension = sizes.length - 1; dimension >= 0; dimension -= 1) {
      source += (rest % sizes[dimension]!) * steps[dimension]!;
      rest = Math.floor(rest / sizes[dimension]!);
    }
    return values[source]!;
  });
}

function ints(name: string, values: readonly number[]): Attribute {
  return { name, type: attributeType.ints, ints: values };
}
