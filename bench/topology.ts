import { performance } from "node:perf_hooks";
import { from, filter, map, mergeMap } from "rxjs";
import { numberSerde, StreamsApp, StreamsBuilder, type OutgoingRecord } from "millrace";
import { memoryBroker } from "millrace/memory";

/** The five steps: source, map, filter (half stay), flatMap (two of each), sink: as many records out as in. */
function topology(): ReturnType<StreamsBuilder["build"]> {
  const builder = new StreamsBuilder();
  builder
    .stream("in", { value: numberSerde })
    .mapValues((value) => value + 1)
    .filter((value) => value % 2 === 0)
    .flatMapValues((value) => [value, -value])
    .to("out", { value: numberSerde });
  return builder.build();
}

/** What is published again and again: as many records as the app has credit for. */
const outs: readonly OutgoingRecord[] = Array.from({ length: 4_000 }, (_, index) => ({
  topic: "in",
  key: null,
  value: numberSerde.serialize(index, [], "in") as Uint8Array,
  headers: [],
  timestamp: 1_700_000_000_000 + index,
}));

/**
 * Records per second through the topology: append to the log, serdes, lanes, credit and settlement included.
 *
 * @param each is told how many records are done, after each 4,000
 */
export async function topologyRate(count: number, each: (done: number) => void = () => {}): Promise<number> {
  const broker = memoryBroker({ retention: 0 });
  const app = new StreamsApp(topology(), { applicationId: "bench", broker });
  await app.start();
  const began = performance.now();
  for (let done = 0; done < count; done += outs.length) {
    broker.publish(outs);
    await app.whenSettled(done + outs.length);
    each(done + outs.length);
  }
  const seconds = (performance.now() - began) / 1000;
  await app.close();
  return count / seconds;
}

/** The same five steps on bare values in RxJS: no lanes, no credit, nobody to answer to. */
export function plainRate(count: number): number {
  const inputs: Uint8Array[] = [];
  for (let index = 0; index < count; index += 1) inputs.push(numberSerde.serialize(index, [], "in") as Uint8Array);
  const out: (Uint8Array | Promise<Uint8Array>)[] = [];
  const began = performance.now();
  from(inputs)
    .pipe(
      map((bytes) => (numberSerde.deserialize(bytes, [], "in") as number) + 1),
      filter((value) => value % 2 === 0),
      mergeMap((value) => [value, -value]),
    )
    .subscribe((value) => out.push(numberSerde.serialize(value, [], "out")));
  return count / ((performance.now() - began) / 1000);
}
