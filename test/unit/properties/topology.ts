import {
  concat,
  defer,
  EMPTY,
  firstValueFrom,
  from,
  map as mapTo,
  mergeMap as flat,
  of,
  timer,
  type Observable,
  type SchedulerLike,
} from "rxjs";
import type { Processor, ProcessorContext } from "../../../src/operators/process.ts";
import { stringSerde } from "../../../src/core/serde.ts";
import type { KStream } from "../../../src/topology/kstream.ts";
import type { Ordered } from "../../../src/topology/nodes.ts";
import { StreamsBuilder } from "../../../src/topology/streams-builder.ts";
import type { Topology } from "../../../src/topology/topology.ts";
import { isFork, nameOf, type Operation, type Step } from "./operation.ts";
import { children, fails, goesLeft, integerSerde, keyFor, latency, mapped, passes } from "./values.ts";

type Stream = KStream<string | null, number>;
type Place = readonly (string | number)[];
type Simple = Exclude<Step, { readonly kind: "side" }>;

/** Makes the topology that random operations describe: from IN to OUT, with SIDE on the way. */
export function topologyOf(operations: readonly Operation[], ordered: Ordered, scheduler: SchedulerLike): Topology {
  return new Assembly(ordered, scheduler).topology(operations);
}

class Assembly {
  private readonly ordered: Ordered;
  private readonly scheduler: SchedulerLike;
  /** Calls that failed once and will not fail again. */
  private readonly failed = new Set<string>();

  constructor(ordered: Ordered, scheduler: SchedulerLike) {
    this.ordered = ordered;
    this.scheduler = scheduler;
  }

  topology(operations: readonly Operation[]): Topology {
    const builder = new StreamsBuilder();
    const source = builder.stream("IN", { key: stringSerde, value: integerSerde });
    this.chain(source, operations, []).to("OUT", { value: integerSerde, name: "out" });
    return builder.build();
  }

  private chain(stream: Stream, operations: readonly Operation[], place: Place): Stream {
    return operations.reduce((last, operation, index) => this.add(last, operation, [...place, index]), stream);
  }

  private add(stream: Stream, operation: Operation, place: Place): Stream {
    if (operation.kind === "side") {
      stream.to("SIDE", { value: integerSerde, name: nameOf(place) });
      return stream;
    }
    if (!isFork(operation)) return this.addSimple(stream, operation, nameOf(place));
    let left = stream;
    let right = stream;
    if (operation.kind === "diamond") {
      const name = `${nameOf(place)}-`;
      const branches = stream
        .split({ name })
        .branch((value) => goesLeft(value, operation), { name: "l" })
        .defaultBranch({ name: "r" });
      left = branches.get(`${name}l`);
      right = branches.get(`${name}r`);
    }
    left = this.chain(left, operation.left, [...place, "left"]);
    right = this.chain(right, operation.right, [...place, "right"]);
    return left.merge(right, { name: nameOf(place) });
  }

  private addSimple(stream: Stream, operation: Simple, name: string): Stream {
    const { ordered } = this;
    const check = this.checkOf(operation, name);
    const options = { name, ...(operation.failure && { onError: operation.failure.answer }) };
    const whenChecked =
      <R>(make: (value: number) => R) =>
      (value: number, { position }: { readonly position: string }): R => {
        check(position, value);
        return make(value);
      };
    switch (operation.kind) {
      case "map":
        return stream.mapValues(
          whenChecked((value) => mapped(value, operation)),
          options,
        );
      case "filter":
        return stream.filter(
          whenChecked((value) => passes(value, operation)),
          options,
        );
      case "selectKey":
        return stream.selectKey(
          whenChecked((value) => keyFor(value, operation)),
          options,
        );
      case "flatMap":
        if (!operation.lazy)
          return stream.flatMapValues(
            whenChecked((value) => children(value, operation)),
            options,
          );
        return stream.flatMapValues(
          (value, { position }) => lazily(children(value, operation), () => check(position, value)),
          options,
        );
      case "process":
        return stream.process(() => new Multiplier(check, operation), options);
      case "mapAsync":
        return stream.mapAsync(
          async (value, { position }) => {
            await this.wait(latency(value, operation));
            check(position, value);
            return mapped(value, operation);
          },
          { ...options, ordered, concurrency: operation.concurrency },
        );
      case "mergeMap":
        return stream.mergeMap((value, { position }) => this.values(value, position, operation, check), {
          ...options,
          ordered,
          concurrency: operation.concurrency,
        });
      case "mapBatch":
        return stream.batch(operation).mapBatch(
          async (values, records) => {
            await this.wait(latency(values.length, operation));
            values.forEach((value, index) => check(records[index]?.position ?? "", value));
            return values.map((value) => mapped(value, operation));
          },
          { ...options, ordered, concurrency: operation.concurrency },
        );
    }
  }

  /** Throws where the operation must fail. */
  private checkOf({ failure }: Simple, name: string): (position: string, value: number) => void {
    return (position, value) => {
      if (!fails(value, failure)) return;
      const call = `${name} ${position} ${value}`;
      if (failure?.always !== true && this.failed.has(call)) return;
      this.failed.add(call);
      throw new Error(`${call} failed`);
    };
  }

  private async wait(ms: number): Promise<void> {
    if (ms > 0) await firstValueFrom(timer(ms, this.scheduler));
  }

  /** An Observable that fails before its first value, or emits its values over time. */
  private values(
    value: number,
    position: string,
    operation: Simple,
    check: (position: string, value: number) => void,
  ): Observable<number> {
    const checked = defer(() => {
      check(position, value);
      return EMPTY;
    });
    const later = from(children(value, operation)).pipe(
      flat((child, index) => {
        const ms = latency(value, operation, index);
        return ms === 0 ? of(child) : timer(ms, this.scheduler).pipe(mapTo(() => child));
      }, 1),
    );
    return concat(checked, later);
  }
}

/** Fails, if it must, after the first value. */
function* lazily(values: readonly number[], check: () => void): Generator<number> {
  yield* values.slice(0, 1);
  check();
  yield* values.slice(1);
}

class Multiplier implements Processor<string | null, number, string | null, number> {
  private readonly check: (position: string, value: number) => void;
  private readonly operation: Simple;
  private context: ProcessorContext<string | null, number> | undefined = undefined;

  constructor(check: (position: string, value: number) => void, operation: Simple) {
    this.check = check;
    this.operation = operation;
  }

  init(context: ProcessorContext<string | null, number>): void {
    this.context = context;
  }

  process(record: Parameters<Processor<string | null, number, string | null, number>["process"]>[0]): void {
    this.check(record.position, record.value);
    for (const child of children(record.value, this.operation)) this.context?.forward(record.withValue(child));
  }
}
