// Building a topology
export { StreamsBuilder } from "./topology/streams-builder.ts";
export { KStream } from "./topology/kstream.ts";
export { BatchedKStream } from "./topology/batched-kstream.ts";
export { BranchedKStream, Branches } from "./topology/branched-kstream.ts";
export { Topology, type DescribeFormat } from "./topology/topology.ts";
export type {
  AsyncOptions,
  BatchOptions,
  ErrorAnswer,
  ErrorContext,
  ErrorHandler,
  ErrorHandling,
  InferOptions,
  KeyValue,
  Named,
  NodeOptions,
  PrintOptions,
  StreamOptions,
  Sync,
  ToOptions,
} from "./topology/options.ts";
export type { TopologyModule, TopologyModuleOptions } from "./topology/topology-module.ts";
export type { Ordered } from "./topology/nodes.ts";
export type { Cancel, Held, Processor, ProcessorContext, ProcessorSupplier } from "./operators/process.ts";

// Records and how they are read and written
export {
  StreamRecord,
  type Header,
  type Headers,
  type OutgoingRecord,
  type Position,
  type RawRecord,
} from "./core/record.ts";
export {
  bytesSerde,
  jsonSerde,
  nullable,
  numberSerde,
  stringSerde,
  type Deserializer,
  type Serde,
  type Serializer,
} from "./core/serde.ts";
export type { SchemaIssue, SchemaResult, StandardSchema } from "./core/standard-schema.ts";
export { headerText, provenanceHeaders, textHeader, withHeaders } from "./core/provenance.ts";

// Running it
export { StreamsApp } from "./runtime/streams-app.ts";
export type { ErrorHandlers, RetryOptions, StreamsAppOptions } from "./runtime/options.ts";
export type { AppMetrics } from "./runtime/metrics.ts";
export type { AppState } from "./runtime/state.ts";
export { deadLetterHeaders } from "./runtime/dead-letters.ts";
export { silentLogger, type Logger } from "./core/logger.ts";

// Errors
export {
  BrokerError,
  ConfigError,
  DecodeError,
  EngineError,
  errorCodes,
  InferenceError,
  messageOf,
  ProcessError,
  PublishError,
  StoppedError,
  StreamsError,
  type ErrorCode,
} from "./core/errors.ts";

// Models
export type { Model, ModelInfo, ModelSource } from "./core/model.ts";
export type {
  Engine,
  EngineInfo,
  EngineSource,
  NamedTensors,
  Tensor,
  TensorData,
  TensorInfo,
  TensorType,
} from "./core/engine.ts";
export { engineModel, type TensorCodec } from "./engines/engine-model.ts";
export { autoEngine, type AutoEngineName, type AutoEngineOptions } from "./engines/auto.ts";
export { enginesAtRest } from "./engines/pool/rest.ts";

// Tracing
export type { DeliverySpan, TracedBatch, Tracing } from "./core/tracing.ts";

// Writing a driver
export type {
  AutoOffsetReset,
  Broker,
  BrokerCapabilities,
  BrokerSession,
  Delivery,
  DrainReport,
  Lane,
  ProcessingGuarantee,
  SessionOptions,
} from "./core/broker.ts";
export { murmur2, partitionFor } from "./core/murmur2.ts";

// Operators for RxJS users, over envelopes
export type { AnyEnvelope, Envelope } from "./operators/envelope.ts";
export { nodeMetrics, type NodeContext, type NodeErrors, type NodeMetrics } from "./operators/node-context.ts";
export { Pressure } from "./operators/pressure.ts";
export { DeliveryLineage, Lineage, type Exit, type LineageEnd } from "./core/lineage.ts";
export { Line } from "./core/line.ts";
export { perRecord } from "./operators/per-record.ts";
export { map } from "./operators/map.ts";
export { filter } from "./operators/filter.ts";
export { flatMap } from "./operators/flat-map.ts";
export { peek } from "./operators/peek.ts";
export { branch, type Branched } from "./operators/branch.ts";
export { mapAsync } from "./operators/map-async.ts";
export { mergeMap } from "./operators/merge-map.ts";
export { concatMap } from "./operators/concat-map.ts";
export { batchMap, type BatchMapOptions } from "./operators/batch-map.ts";
export { process } from "./operators/process.ts";
export { decode } from "./operators/decode.ts";
export { to } from "./operators/to.ts";
export { exitWith } from "./operators/exits.ts";
