import type { ObservableInput } from "rxjs";
import { ConfigError } from "../core/errors.ts";
import type { RawRecord } from "../core/record.ts";
import { stringSerde } from "../core/serde.ts";
import { Graph } from "./graph.ts";
import { KStream } from "./kstream.ts";
import type { NodeOptions, StreamOptions } from "./options.ts";
import { Topology } from "./topology.ts";

/**
 * Builds a topology call by call, in the vocabulary of Kafka Streams.
 *
 * Each call adds a named node; `build()` checks the whole and freezes it. Nothing is opened.
 */
export class StreamsBuilder {
  private readonly graph = new Graph();

  /**
   * Reads one topic or several, as one stream. Records of one partition come in order; several topics have no order between them.
   *
   * Errors: `ERR_CONFIG` for no topic, or a name that Kafka would refuse; at `build()` for a topic that another `stream()` reads.
   */
  stream<V, K = string>(topics: string | readonly string[], options: StreamOptions<K, V>): KStream<K | null, V> {
    const name = this.graph.nextName("KSTREAM-SOURCE-", options.name);
    const list = [...new Set(typeof topics === "string" ? [topics] : topics)];
    if (list.length === 0) throw new ConfigError(`stream() of ${name} needs at least one topic`);
    this.graph.add({
      role: "source",
      name,
      topics: Object.freeze(list),
      key: options.key ?? stringSerde,
      value: options.value,
      autoOffsetReset: options.autoOffsetReset ?? "earliest",
      // The node forgets its types; its own serde makes the values that the extractor gets.
      timestamp: options.timestamp as ((value: unknown, record: RawRecord) => number) | undefined,
      onError: options.onError,
    });
    return new KStream(this.graph, [name]);
  }

  /**
   * Feeds values of the program itself: an iterable, async iterable, promise or Observable. Keys are null, timestamps the time of arrival.
   *
   * Iterables are pulled as the app has room. An Observable pushes, and what the app has no room for yet is kept in memory: prefer
   * an async iterable for a fast source. Nothing is redelivered: what is not done when the process ends is gone.
   */
  fromObservable<V>(input: ObservableInput<V>, options: NodeOptions = {}): KStream<null, V> {
    const name = this.graph.nextName("KSTREAM-SOURCE-", options.name);
    this.graph.add({ role: "input", name, input, onError: options.onError });
    return new KStream(this.graph, [name]);
  }

  /** Errors: `ERR_CONFIG`, see `Topology`. */
  build(): Topology {
    return new Topology(this.graph.nodes);
  }
}
