import type { ObservableInput, OperatorFunction } from "rxjs";
import { ConfigError } from "../core/errors.ts";
import type { StreamRecord } from "../core/record.ts";
import { stringSerde, type Serializer } from "../core/serde.ts";
import { concatMap } from "../operators/concat-map.ts";
import type { Envelope } from "../operators/envelope.ts";
import { exitWith } from "../operators/exits.ts";
import { filter } from "../operators/filter.ts";
import { flatMap } from "../operators/flat-map.ts";
import { map } from "../operators/map.ts";
import { mapAsync } from "../operators/map-async.ts";
import { mergeMap } from "../operators/merge-map.ts";
import type { NodeContext } from "../operators/node-context.ts";
import { peek } from "../operators/peek.ts";
import { process, type ProcessorSupplier } from "../operators/process.ts";
import { to } from "../operators/to.ts";
import { BatchedKStream } from "./batched-kstream.ts";
import { BranchedKStream } from "./branched-kstream.ts";
import { checkCount, type Graph } from "./graph.ts";
import type { NodeResources, OperatorNode } from "./nodes.ts";
import type { AsyncOptions, BatchOptions, KeyValue, NodeOptions, PrintOptions, Sync, ToOptions } from "./options.ts";
import { printedLine } from "./print.ts";

type Callback<K, V, R> = (value: V, record: StreamRecord<K, V>) => R;

/** What a method gives to `add`: types of the stream that comes out, forgotten by the node. */
interface Step<K, V> extends Partial<
  Pick<OperatorNode, "role" | "terminal" | "seam" | "ordered" | "topic" | "extractor">
> {
  readonly concurrency?: number;
  readonly operator: (
    context: NodeContext,
    resources: NodeResources,
  ) => OperatorFunction<Envelope<never, never>, Envelope<K, V>>;
}

/**
 * A stream of records with keys `K` and values `V`: the methods add nodes to the topology and give the stream that comes out.
 *
 * A callback gets `(value, record)`; what it throws goes to the `process` handler. A synchronous method takes no function that gives a promise:
 * `mapAsync` does. Every method takes `{ name }`; without one the node is named as Kafka Streams names it.
 */
export class KStream<K, V> {
  private readonly graph: Graph;
  private readonly parents: readonly string[];

  /** Streams come from `StreamsBuilder.stream()` and from other streams. */
  constructor(graph: Graph, parents: readonly string[]) {
    this.graph = graph;
    this.parents = parents;
  }

  /** A new key and value for each record. */
  map<RK, RV>(project: Callback<K, V, KeyValue<RK, RV>>, options?: NodeOptions): KStream<RK, RV> {
    return this.add("KSTREAM-MAP-", options, {
      operator: (context) =>
        map((record: StreamRecord<K, V>) => {
          const { key, value } = project(record.value, record);
          return record.withKeyValue(key, value);
        }, context),
    });
  }

  /** A new value for each record; the key stays. */
  mapValues<R>(project: Callback<K, V, R & Sync<R>>, options?: NodeOptions): KStream<K, R> {
    return this.add("KSTREAM-MAPVALUES-", options, {
      operator: (context) =>
        map((record: StreamRecord<K, V>) => record.withValue<R>(project(record.value, record)), context),
    });
  }

  /** Any number of records for each, in the iterable's order. The iterable is pulled, and only as there is room. */
  flatMap<RK, RV>(project: Callback<K, V, Iterable<KeyValue<RK, RV>>>, options?: NodeOptions): KStream<RK, RV> {
    return this.add("KSTREAM-FLATMAP-", options, {
      operator: (context) =>
        flatMap(
          {
            project: (record: StreamRecord<K, V>) => project(record.value, record),
            wrap: ({ key, value }, record) => record.withKeyValue(key, value),
          },
          context,
        ),
    });
  }

  /** Any number of values for each record, in the iterable's order; the key stays. The iterable is pulled, and only as there is room. */
  flatMapValues<R>(project: Callback<K, V, Iterable<R>>, options?: NodeOptions): KStream<K, R> {
    return this.add("KSTREAM-FLATMAPVALUES-", options, {
      operator: (context) =>
        flatMap(
          {
            project: (record: StreamRecord<K, V>) => project(record.value, record),
            wrap: (value, record) => record.withValue(value),
          },
          context,
        ),
    });
  }

  /** Keeps the records for which `predicate` is true. The others are done: filtering is an ack. */
  filter<R extends V>(
    predicate: (value: V, record: StreamRecord<K, V>) => value is R,
    options?: NodeOptions,
  ): KStream<K, R>;
  filter(predicate: Callback<K, V, boolean>, options?: NodeOptions): KStream<K, V>;
  filter(predicate: Callback<K, V, boolean>, options?: NodeOptions): KStream<K, V> {
    return this.add("KSTREAM-FILTER-", options, { operator: (context) => filter(predicate, context) });
  }

  /** Keeps the records for which `predicate` is false. */
  filterNot(predicate: Callback<K, V, boolean>, options?: NodeOptions): KStream<K, V> {
    const operator: Step<K, V>["operator"] = (context) =>
      filter((value: V, record: StreamRecord<K, V>) => !predicate(value, record), context);
    return this.add("KSTREAM-FILTER-", options, { operator });
  }

  /** A new key for each record; the value stays. Nothing is repartitioned. */
  selectKey<RK>(select: Callback<K, V, RK & Sync<RK>>, options?: NodeOptions): KStream<RK, V> {
    return this.add("KSTREAM-KEY-SELECT-", options, {
      operator: (context) =>
        map((record: StreamRecord<K, V>) => record.withKey<RK>(select(record.value, record)), context),
    });
  }

  /** Shows each record to `look` and passes it on. */
  peek<R>(look: Callback<K, V, R & Sync<R>>, options?: NodeOptions): KStream<K, V> {
    const operator: Step<K, V>["operator"] = (context) =>
      peek((value: V, record: StreamRecord<K, V>) => void look(value, record), context);
    return this.add("KSTREAM-PEEK-", options, { operator });
  }

  /** Ends the stream in a function, called in the order of the lanes; a record is done when it returns. */
  foreach<R>(act: Callback<K, V, R & Sync<R>>, options?: NodeOptions): void {
    this.end("KSTREAM-FOREACH-", options, {
      operator: (context) => exitWith((record: StreamRecord<K, V>) => void act(record.value, record), context),
    });
  }

  /** Ends the stream in printed lines, in the order of the lanes. A record is done when its line is written. */
  print(options: PrintOptions<K, V> = {}): void {
    const { label = this.parents.join(","), write = (line: string): void => console.log(line) } = options;
    const format = options.format ?? ((record: StreamRecord<K, V>): string => printedLine(label, record));
    this.end("KSTREAM-PRINTER-", options, {
      seam: "publish",
      operator: (context) => exitWith((record: StreamRecord<K, V>) => write(format(record)), context),
    });
  }

  /**
   * Cuts the stream into branches: each record goes to the first whose predicate is true.
   *
   * With a name the branches' names begin with it.
   */
  split(options?: NodeOptions): BranchedKStream<K, V> {
    const name = this.graph.nextName("KSTREAM-BRANCH-", options?.name);
    return new BranchedKStream(
      this.graph,
      (node) => new KStream(this.graph, [node]),
      name,
      this.parents,
      options?.onError,
    );
  }

  /** The records of both streams, in no order between them. */
  merge<OK, OV>(other: KStream<OK, OV>, options?: NodeOptions): KStream<K | OK, V | OV> {
    if (other.graph !== this.graph) throw new ConfigError("merge() takes a stream of the same StreamsBuilder");
    return this.add<K | OK, V | OV>(
      "KSTREAM-MERGE-",
      options,
      {
        operator: () => (source) => source,
      },
      other.parents,
    );
  }

  /** Hands each record to a processor, one instance per lane, which decides itself what to forward and when. */
  process<RK, RV>(supplier: ProcessorSupplier<K, V, RK, RV>, options?: NodeOptions): KStream<RK, RV> {
    return this.add("KSTREAM-PROCESSOR-", options, { operator: (context) => process(supplier, context) });
  }

  /** A new value for each record, made by an asynchronous function. */
  mapAsync<R>(project: Callback<K, V, PromiseLike<R> | R>, options: AsyncOptions = {}): KStream<K, R> {
    const { concurrency = 1, ordered = "partition" } = options;
    return this.add("KSTREAM-MAPASYNC-", options, {
      ordered,
      concurrency,
      operator: (context) => mapAsync(project, concurrency, context),
    });
  }

  /** RxJS's concatMap, per record: what the inner Observable emits are records; the next record waits until it completes. */
  concatMap<R>(project: Callback<K, V, ObservableInput<R>>, options?: NodeOptions): KStream<K, R> {
    return this.add("KSTREAM-CONCATMAP-", options, {
      ordered: "partition",
      operator: (context) => concatMap(project, context),
    });
  }

  /** RxJS's mergeMap, per record: what the inner Observables emit are records; at most `concurrency` are open. */
  mergeMap<R>(
    project: Callback<K, V, ObservableInput<R>>,
    options: AsyncOptions & { readonly concurrency: number },
  ): KStream<K, R> {
    const { concurrency, ordered = "partition" } = options;
    return this.add("KSTREAM-MERGEMAP-", options, {
      ordered,
      concurrency,
      operator: (context) => mergeMap(project, concurrency, context),
    });
  }

  /** Groups records for a model or a function that takes many at once. Adds no node. */
  batch(options: BatchOptions<V>): BatchedKStream<K, V> {
    return new BatchedKStream(
      this.graph,
      <R>(node: string) => new KStream<K, R>(this.graph, [node]),
      this.parents,
      options,
    );
  }

  /** Ends the stream in a topic, or in the one that a function picks for each record. In the order of the lanes. */
  to(topic: string | Callback<K, V, string>, options: ToOptions<K, V>): void {
    // Without a key serde keys are text: ToOptions demands one for all other keys.
    const key = (options.key ?? stringSerde) as Serializer<NonNullable<K>>;
    const { value, partitioner } = options;
    this.end("KSTREAM-SINK-", options, {
      role: "sink",
      seam: "publish",
      ...(typeof topic === "string" ? { topic } : { extractor: topic.name }),
      operator: (context, { publish }) => to({ topic, key, value, partitioner, publish }, context),
    });
  }

  private add<RK, RV>(
    prefix: string,
    options: NodeOptions | undefined,
    { concurrency = 1, ...step }: Step<RK, RV>,
    otherParents: readonly string[] = [],
  ): KStream<RK, RV> {
    const name = this.graph.nextName(prefix, options?.name);
    checkCount(name, "concurrency", concurrency);
    this.graph.addOperator({
      ...step,
      name,
      parents: [...new Set([...this.parents, ...otherParents])],
      onError: options?.onError,
      // The node forgets the types that the method's signature has checked.
      operator: step.operator as OperatorNode["operator"],
    });
    return new KStream(this.graph, [name]);
  }

  private end(prefix: string, options: NodeOptions | undefined, step: Step<never, never>): void {
    this.add(prefix, options, { ...step, terminal: true });
  }
}
