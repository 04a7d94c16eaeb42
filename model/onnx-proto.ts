import protobuf from "protobufjs";

/** `DataType` of an ONNX tensor: the values that the exporter uses. */
export const dataType = { float: 1, uint8: 2, int64: 7 } as const;

/** `AttributeType` of ONNX: the values that the exporter uses. */
export const attributeType = { int: 2, ints: 7 } as const;

/** An attribute of a node: one integer, or a list of integers. */
export type Attribute =
  | { readonly name: string; readonly type: typeof attributeType.int; readonly i: number }
  | { readonly name: string; readonly type: typeof attributeType.ints; readonly ints: readonly number[] };

/** An operator with its inputs and outputs, each named. */
export interface OnnxNode {
  readonly name: string;
  readonly opType: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly attribute?: readonly Attribute[];
}

/** A constant: `rawData` is row-major and little-endian. */
export interface OnnxTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly dataType: number;
  readonly rawData: Uint8Array;
}

/** An input or output of the graph; a text in `shape` names a free dimension. */
export interface OnnxPort {
  readonly name: string;
  readonly elemType: number;
  readonly shape: readonly (number | string)[];
}

/** A graph of operators in execution order. */
export interface OnnxGraph {
  readonly name: string;
  readonly node: readonly OnnxNode[];
  readonly initializer: readonly OnnxTensor[];
  readonly input: readonly OnnxPort[];
  readonly output: readonly OnnxPort[];
}

/** Version of the operator set: 13 has every operator used here, and every ONNX Runtime since 1.8 has it. */
const opset = 13;

/** Version of the file format, the one of ONNX 1.10. */
const irVersion = 8;

/** The content of an `.onnx` file with this graph. */
export function encodeOnnx(graph: OnnxGraph): Uint8Array {
  const message = {
    irVersion,
    producerName: "millrace",
    opsetImport: [{ domain: "", version: opset }],
    graph: { ...graph, input: graph.input.map(toValueInfo), output: graph.output.map(toValueInfo) },
  };
  return onnx.lookupType("ModelProto").encode(message).finish();
}

function toValueInfo({ name, elemType, shape }: OnnxPort): object {
  const dim = shape.map((size) => (typeof size === "number" ? { dimValue: size } : { dimParam: size }));
  return { name, type: { tensorType: { elemType, shape: { dim } } } };
}

/**
 * The messages and fields of the format that an exported network needs.
 *
 * Source: field numbers of `onnx/onnx.proto` in onnx/onnx, ONNX 1.10.
 */
const onnx = protobuf.Root.fromJSON({
  nested: {
    ModelProto: {
      fields: {
        irVersion: { id: 1, type: "int64" },
        producerName: { id: 2, type: "string" },
        graph: { id: 7, type: "GraphProto" },
        opsetImport: { id: 8, type: "OperatorSetIdProto", rule: "repeated" },
      },
    },
    OperatorSetIdProto: { fields: { domain: { id: 1, type: "string" }, version: { id: 2, type: "int64" } } },
    GraphProto: {
      fields: {
        node: { id: 1, type: "NodeProto", rule: "repeated" },
        name: { id: 2, type: "string" },
        initializer: { id: 5, type: "TensorProto", rule: "repeated" },
        input: { id: 11, type: "ValueInfoProto", rule: "repeated" },
        output: { id: 12, type: "ValueInfoProto", rule: "repeated" },
      },
    },
    NodeProto: {
      fields: {
        input: { id: 1, type: "string", rule: "repeated" },
        output: { id: 2, type: "string", rule: "repeated" },
        name: { id: 3, type: "string" },
        opType: { id: 4, type: "string" },
        attribute: { id: 5, type: "AttributeProto", rule: "repeated" },
      },
    },
    AttributeProto: {
      fields: {
        name: { id: 1, type: "string" },
        i: { id: 3, type: "int64" },
        ints: { id: 8, type: "int64", rule: "repeated" },
        type: { id: 20, type: "int32" },
      },
    },
    TensorProto: {
      fields: {
        dims: { id: 1, type: "int64", rule: "repeated" },
        dataType: { id: 2, type: "int32" },
        name: { id: 8, type: "string" },
        rawData: { id: 9, type: "bytes" },
      },
    },
    ValueInfoProto: { fields: { name: { id: 1, type: "string" }, type: { id: 2, type: "TypeProto" } } },
    TypeProto: { fields: { tensorType: { id: 1, type: "TensorTypeProto" } } },
    TensorTypeProto: { fields: { elemType: { id: 1, type: "int32" }, shape: { id: 2, type: "TensorShapeProto" } } },
    TensorShapeProto: { fields: { dim: { id: 1, type: "Dimension", rule: "repeated" } } },
    Dimension: {
      oneofs: { value: { oneof: ["dimValue", "dimParam"] } },
      fields: { dimValue: { id: 1, type: "int64" }, dimParam: { id: 2, type: "string" } },
    },
  },
});
