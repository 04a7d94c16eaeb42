import type { Model, ModelInfo, ModelSource } from "../core/model.ts";
import { provenanceHeaders, textHeader, withHeaders } from "../core/provenance.ts";
import type { Headers, StreamRecord } from "../core/record.ts";
import { batchMap } from "../operators/batch-map.ts";
import { checkCount, type Graph } from "./graph.ts";
import type { KStream } from "./kstream.ts";
import type { NodeResources, OperatorNode } from "./nodes.ts";
import type { AsyncOptions, BatchOptions, InferOptions } from "./options.ts";

/**
 * A stream whose records are handed on many at a time: all that queued while the last batch ran, up to `maxSize` rows.
 *
 * What comes out are records again, one for each that went in.
 */
export class BatchedKStream<K, V> {
  private readonly graph: Graph;
  private readonly streamOf: <R>(node: string) => KStream<K, R>;
  private readonly parents: readonly string[];
  private readonly options: BatchOptions<unknown>;

  /** @param streamOf makes the stream that comes out of a node */
  constructor(
    graph: Graph,
    streamOf: <R>(node: string) => KStream<K, R>,
    parents: readonly string[],
    options: BatchOptions<V>,
  ) {
    const where = `batch() after ${parents.join(", ")}`;
    checkCount(where, "maxSize", options.maxSize);
    checkCount(where, "maxWaitMs", options.maxWaitMs ?? 0, 0);
    this.graph = graph;
    this.streamOf = streamOf;
    this.parents = parents;
    // The constructor has checked the type; without it here a stream of circles is a stream of shapes.
    this.options = options as BatchOptions<unknown>;
  }

  /**
   * Asks a model. `join` makes the new value of its input, its output and the record.
   *
   * The model is opened when an app starts and closed by it. Inputs larger than a batch are cut and put together again; rows count, not
   * records. Results carry `millrace-model` and `millrace-engine`.
   */
  infer<O, R>(
    model: ModelSource<V, O>,
    join: (input: V, output: O, record: StreamRecord<K, V>) => R,
    options: InferOptions = {},
  ): KStream<K, R> {
    const { rows } = this.options;
    const name = this.graph.nextName("KSTREAM-INFER-", options.name);
    this.add(name, options, 1, {
      model,
      operator: ((context, resources) => {
        const opened = modelOf<V, O>(name, resources);
        const stamp = stampOf(opened.info);
        return batchMap<K, V, O, R>(
          {
            ...this.batching(resources),
            concurrency: opened.info.concurrency ?? 1,
            rows: rows ?? ((value) => opened.rows(value)),
            slice: (value, from, to) => opened.slice(value, from, to),
            join: (outputs) => opened.join(outputs),
          },
          (values) => opened.predict(values),
          (record, output) =>
            record.withValue(join(record.value, output, record)).withHeaders(withHeaders(record.headers, stamp)),
          context,
        );
      }) as OperatorNode["operator"],
    });
    return this.streamOf(name);
  }

  /** Calls a function with many values; it gives as many results, in the same order. */
  mapBatch<R>(
    project: (values: readonly V[], records: readonly StreamRecord<K, V>[]) => PromiseLike<readonly R[]> | readonly R[],
    options: AsyncOptions = {},
  ): KStream<K, R> {
    const { rows } = this.options;
    const { concurrency = 1 } = options;
    const name = this.graph.nextName("KSTREAM-MAPBATCH-", options.name);
    this.add(name, options, concurrency, {
      operator: ((context, resources) =>
        batchMap<K, V, R, R>(
          { ...this.batching(resources), concurrency, ...(rows && { rows }) },
          async (values, records) => project(values, records),
          (record, output) => record.withValue(output),
          context,
        )) as OperatorNode["operator"],
    });
    return this.streamOf(name);
  }

  private batching({ maxQueuedWeight }: NodeResources): {
    maxSize: number;
    maxWaitMs: number;
    maxQueuedWeight: number;
  } {
    const { maxSize, maxWaitMs = 0 } = this.options;
    return { maxSize, maxWaitMs, maxQueuedWeight: maxQueuedWeight ?? 8 * maxSize };
  }

  private add(
    name: string,
    options: InferOptions,
    concurrency: number,
    node: Pick<OperatorNode, "operator"> & Partial<OperatorNode>,
  ): void {
    checkCount(name, "concurrency", concurrency);
    this.graph.addOperator({
      name,
      parents: this.parents,
      ordered: options.ordered ?? "partition",
      maxSize: this.options.maxSize,
      onError: options.onError,
      ...node,
    });
  }
}

/** The app opens the model that the node asked for before it compiles the node. */
function modelOf<I, O>(name: string, { model }: NodeResources): Model<I, O> {
  if (model === undefined) throw new TypeError(`${name} was compiled without its model`);
  return model as Model<I, O>;
}

function stampOf(info: ModelInfo): Headers {
  return [
    textHeader(provenanceHeaders.model, `${info.name}@${info.sha256.slice(0, 12)}`),
    textHeader(provenanceHeaders.engine, info.engine),
  ];
}
