import { topologyRate } from "./topology.ts";

/** Heap in use after each million records, bytes, when what can be freed is freed. Needs node --expose-gc. */
export async function heapOver(count: number): Promise<readonly number[]> {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error("run with node --expose-gc");
  const used: number[] = [];
  await topologyRate(count, (done) => {
    if (done % 1_000_000 !== 0) return;
    gc();
    used.push(process.memoryUsage().heapUsed);
  });
  return used;
}
