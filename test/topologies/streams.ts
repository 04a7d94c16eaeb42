import { firstValueFrom, map, timer } from "rxjs";
import { stringSerde } from "../../src/core/serde.ts";
import type { TestOutputTopic, VirtualScheduler } from "../../src/testing/index.ts";
import { StreamsBuilder } from "../../src/topology/streams-builder.ts";
import type { KStream } from "../../src/topology/kstream.ts";
import type { Topology } from "../../src/topology/topology.ts";

export const text = { value: stringSerde };

/** A topology of text from IN to OUT. */
export function through(step: (stream: KStream<string | null, string>) => KStream<string | null, string>): Topology {
  const builder = new StreamsBuilder();
  step(builder.stream("IN", text)).to("OUT", text);
  return builder.build();
}

/** Resolves to `value` when the clock has advanced by `ms`. */
export function later<T>(scheduler: VirtualScheduler, ms: number, value: T): Promise<T> {
  return firstValueFrom(timer(ms, scheduler).pipe(map(() => value)));
}

export async function valuesOf<K, V>(output: TestOutputTopic<K, V>): Promise<V[]> {
  return (await output.readRecords()).map(({ value }) => value);
}

/** Records without keys. */
export function records(...values: readonly string[]): { readonly value: string }[] {
  return values.map((value) => ({ value }));
}
