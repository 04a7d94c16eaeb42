import { performance } from "node:perf_hooks";
import { from, filter, map, mergeMap } from "rxjs";
import { numberSerde, StreamsApp, StreamsBuilder, type OutgoingRecord } from "millrace";
import { memoryBroker, type MemoryBroker } from "millrace/memory";

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

const encoded = Array.from({ length: 1024 }, (_, index) => numberSerde.serialize(index, [], "in") as Uint8Array);

function fill(broker: MemoryBroker, count: number): void {
  const outs: OutgoingRecord[] = [];
  for (let index = 0; index < count; index += 1) {
    outs.push({ topic: "in", key: null, value: encoded[index & 1023] ?? null, headers: [], timestamp: 0 });
  }
  broker.publish(outs);
}

/**
 * Records per second through the topology: append to the log, serdes, lanes, credit and settlement included.
 *
 * @param each is told how many records are done, after each 20,000
 */
export async function topologyRate(count: number, each: (done: number) => void = () => {}): Promise<number> {
  const broker = memoryBroker({ retention: 0 });
  const app = new StreamsApp(topology(), { applicationId: "bench", broker });
  await app.start();
  const began = performance.now();
  for (let done = 0; done < count; done += 20_000) {
    fill(broker, 20_000);
    await app.whenSettled(done + 20_000);
    each(done + 20_000);
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
