import type { ObservableInput, OperatorFunction } from "rxjs";
import type { AutoOffsetReset } from "../core/broker.ts";
import type { Model, ModelSource } from "../core/model.ts";
import type { OutgoingRecord, RawRecord } from "../core/record.ts";
import type { Deserializer } from "../core/serde.ts";
import type { AnyEnvelope } from "../operators/envelope.ts";
import type { NodeContext } from "../operators/node-context.ts";
import type { ErrorHandling } from "./options.ts";

/** How strictly results keep the order of the records that caused them. */
export type Ordered = "partition" | "key" | false;

/** What compiling a node gives to its operator beside the context. */
export interface NodeResources {
  /** The model that the node asked for with `model`, opened. */
  readonly model: Model<unknown, unknown> | undefined;
  /** Set when sinks write to another broker than the sources read. */
  readonly publish: ((outs: readonly OutgoingRecord[]) => Promise<void>) | undefined;
  /** The app's bound for queued rows, when it sets one. */
  readonly maxQueuedWeight: number | undefined;
}

/** Reads topics. */
export interface SourceNode {
  readonly role: "source";
  readonly name: string;
  readonly topics: readonly string[];
  readonly key: Deserializer<unknown>;
  readonly value: Deserializer<unknown>;
  readonly autoOffsetReset: AutoOffsetReset;
  readonly timestamp: ((value: unknown, record: RawRecord) => number) | undefined;
  readonly onError: ErrorHandling | undefined;
}

/** Takes values from the program itself. */
export interface InputNode {
  readonly role: "input";
  readonly name: string;
  readonly input: ObservableInput<unknown>;
  readonly onError: ErrorHandling | undefined;
}

/** Which of the app's error handlers is asked. */
export type Seam = "process" | "publish";

/** Works on records; made by one call of a stream's method. */
export interface OperatorNode {
  readonly role: "processor" | "sink";
  readonly name: string;
  readonly parents: readonly string[];
  /** For a branch of a split: its index. It takes only the envelopes that are marked with it. */
  readonly branch: number | undefined;
  /** A sink's topic; undefined when a function picks it. */
  readonly topic: string | undefined;
  /** Name of the function that picks a sink's topic; empty when it has none. */
  readonly extractor: string | undefined;
  /** True when nothing comes out: to, print, foreach. */
  readonly terminal: boolean;
  readonly seam: Seam;
  /** Set on nodes whose work may end in another order than it began. */
  readonly ordered: Ordered | undefined;
  /** Rows of the largest batch that it forms; undefined when it forms none. */
  readonly maxSize: number | undefined;
  readonly model: ModelSource<unknown, unknown> | undefined;
  readonly onError: ErrorHandling | undefined;
  readonly operator: (context: NodeContext, resources: NodeResources) => OperatorFunction<AnyEnvelope, AnyEnvelope>;
}

export type TopologyNode = SourceNode | InputNode | OperatorNode;
