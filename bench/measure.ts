// One measurement, as a JSON array on standard output: node --import tsx bench/measure.ts topology|plain|heap <records>
import { heapOver } from "./heap.ts";
import { plainRate, topologyRate } from "./topology.ts";

const [what, count] = process.argv.slice(2);
const records = Number(count);
const warmUp = 2; // these compile
const results: number[] = [];
if (what === "heap") results.push(...(await heapOver(10 * records)));
else {
  for (let run = 0; run < warmUp + 5; run += 1) {
    const rate = what === "topology" ? await topologyRate(records) : plainRate(records);
    if (run >= warmUp) results.push(rate);
  }
}
console.log(JSON.stringify(results));
