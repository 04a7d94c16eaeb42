import { ConfigError } from "../core/errors.ts";
import type { StreamRecord } from "../core/record.ts";
import { branch } from "../operators/branch.ts";
import { checkName, type Graph } from "./graph.ts";
import type { KStream } from "./kstream.ts";
import type { ErrorHandling, Named } from "./options.ts";

type Predicate<K, V> = (value: V, record: StreamRecord<K, V>) => boolean;

/** The streams that a split has made, by name: the split's name followed by the branch's. */
export class Branches<K, V> {
  private readonly streams: ReadonlyMap<string, KStream<K, V>>;

  constructor(streams: ReadonlyMap<string, KStream<K, V>>) {
    this.streams = streams;
  }

  get names(): readonly string[] {
    return [...this.streams.keys()];
  }

  /** Errors: `ERR_CONFIG` for a name that no branch has. */
  get(name: string): KStream<K, V> {
    const stream = this.streams.get(name);
    if (stream === undefined) throw new ConfigError(`no branch is named ${name}; there are: ${this.names.join(", ")}`);
    return stream;
  }
}

/**
 * A split that is being described: `branch` for each way out, then `defaultBranch` or `noDefaultBranch`, which give the streams.
 *
 * Predicates are asked in the order of the calls; the first that is true gets the record.
 */
export class BranchedKStream<K, V> {
  private readonly graph: Graph;
  private readonly streamOf: (node: string) => KStream<K, V>;
  private readonly name: string;
  private readonly predicates: Predicate<unknown, unknown>[] = [];
  private readonly streams = new Map<string, KStream<K, V>>();
  private defaultIndex: number | undefined = undefined;
  private ended = false;

  /** @param streamOf makes the stream that comes out of a node */
  constructor(
    graph: Graph,
    streamOf: (node: string) => KStream<K, V>,
    name: string,
    parents: readonly string[],
    onError: ErrorHandling | undefined,
  ) {
    this.graph = graph;
    this.streamOf = streamOf;
    this.name = name;
    graph.addOperator({
      name,
      parents,
      onError,
      operator: (context) => branch(this.predicates, this.defaultIndex, context),
    });
  }

  /** A way out for the records for which `predicate` is true, and no earlier one was. Its name is the split's followed by `name`, or by its number. */
  branch(predicate: Predicate<K, V>, options?: Named): this {
    this.checkOpen("branch");
    // The node forgets the types that the signature has checked; so a stream of circles is a stream of shapes.
    this.predicates.push(predicate as Predicate<unknown, unknown>);
    this.addBranch(this.predicates.length - 1, options?.name ?? String(this.predicates.length));
    return this;
  }

  /** The way out for all that no predicate took; ends the description. */
  defaultBranch(options?: Named): Branches<K, V> {
    this.end("defaultBranch");
    this.defaultIndex = this.predicates.length;
    this.addBranch(this.defaultIndex, options?.name ?? "0");
    return new Branches(this.streams);
  }

  /** What no predicate takes is done; ends the description. */
  noDefaultBranch(): Branches<K, V> {
    this.end("noDefaultBranch");
    return new Branches(this.streams);
  }

  private end(method: string): void {
    this.checkOpen(method);
    this.ended = true;
  }

  /** A branch that came later would be in no topology that was built before. */
  private checkOpen(method: string): void {
    if (this.ended)
      throw new ConfigError(`${method}() of ${this.name} came after defaultBranch() or noDefaultBranch()`);
  }

  private addBranch(index: number, suffix: string): void {
    this.graph.nextName(""); // Kafka Streams takes a number for each branch and never shows it
    const name = `${this.name}${suffix}`;
    checkName("node", name);
    this.graph.addOperator({ name, parents: [this.name], branch: index, operator: () => (source) => source });
    this.streams.set(name, this.streamOf(name));
  }
}
