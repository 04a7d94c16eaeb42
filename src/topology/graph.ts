import { ConfigError } from "../core/errors.ts";
import type { InputNode, OperatorNode, SourceNode, TopologyNode } from "./nodes.ts";

/** The nodes of a topology that is being built, in the order of the calls: parents before children. */
export class Graph {
  readonly nodes: TopologyNode[] = [];
  private counter = 0;

  /** The next name of a kind, as Kafka Streams counts: each call takes one number, whether it is given a name or not. */
  nextName(prefix: string, given?: string): string {
    const number = String(this.counter).padStart(10, "0");
    this.counter += 1;
    if (given === undefined) return `${prefix}${number}`;
    checkName("node", given);
    return given;
  }

  add(node: SourceNode | InputNode): void {
    this.nodes.push(Object.freeze(node));
  }

  /** Adds a node with what most nodes have, unless it says otherwise. */
  addOperator(node: Pick<OperatorNode, "name" | "parents" | "operator"> & Partial<OperatorNode>): void {
    this.nodes.push(
      Object.freeze({
        role: "processor",
        branch: undefined,
        topic: undefined,
        extractor: undefined,
        terminal: false,
        seam: "process",
        ordered: undefined,
        maxSize: undefined,
        model: undefined,
        onError: undefined,
        ...node,
      }),
    );
  }
}

/** Kafka's rule for topics, which Kafka Streams applies to node names too. */
export function checkName(what: "node" | "topic", name: string): void {
  if (/^[\w.-]{1,249}$/.test(name) && name !== "." && name !== "..") return;
  throw new ConfigError(
    `a ${what}'s name has 1 to 249 letters, digits, ".", "_" or "-", and is not "." or ".."; got ${JSON.stringify(name)}`,
  );
}

/** A whole number of at least `minimum`, or a `ConfigError` that says where and what. */
export function checkCount(node: string, option: string, value: number, minimum = 1): number {
  if (Number.isSafeInteger(value) && value >= minimum) return value;
  throw new ConfigError(`${option} of ${node} must be a whole number of at least ${minimum}, got ${String(value)}`);
}
