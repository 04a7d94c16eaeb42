// npm run bench: what the topology itself costs, beside the same steps in plain RxJS and on a real Kafka, and whether memory stays flat.
import { execFileSync } from "node:child_process";
import { cpus } from "node:os";
import { startKafka } from "../scripts/brokers/kafka.ts";
import type { KafkaFigures } from "./kafka.ts";

const rounds = 5;
const records = 1_000_000;

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}

function millions(value: number): string {
  return (value / 1e6).toFixed(2);
}

/** Runs a measurement in a process of its own: two in one would make each other's call sites polymorphic. */
function measure(what: string): readonly number[] {
  const args = ["--expose-gc", "--import", "tsx", "bench/measure.ts", what, String(records)];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" })) as number[];
}

console.log(`Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? "?"}`);
const ours: number[] = [];
const plain: number[] = [];
for (let round = 0; round < rounds; round += 1) {
  ours.push(median(measure("topology")));
  plain.push(median(measure("plain")));
}
const ratios = ours.map((rate, round) => rate / (plain[round] ?? Number.NaN));
console.log(
  `\n${records.toLocaleString("en")} records, ${rounds} rounds in turn, each the median of 5 in a process of its own: median (lowest to highest)\n`,
);
console.log("| source → map → filter → flatMap → sink | million records/s |");
console.log("| --- | --- |");
for (const [name, rates] of [
  ["memory broker, serdes, lanes, credit, settlement", ours],
  ["the same steps in plain RxJS on bare values", plain],
] as const) {
  console.log(
    `| ${name} | ${millions(median(rates))} (${millions(Math.min(...rates))} to ${millions(Math.max(...rates))}) |`,
  );
}
console.log(`| ratio, round by round | ${median(ratios).toFixed(2)} |`);

const heap = measure("heap");
console.log(
  `\nheap after each million of 10,000,000 records, MB: ${heap.map((bytes) => (bytes / 2 ** 20).toFixed(1)).join(", ")}`,
);

/** A process of its own, so that the idle CPU is the app's alone. */
function onKafka(brokers: string): KafkaFigures {
  const args = ["--import", "tsx", "bench/kafka.ts", brokers];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" })) as KafkaFigures;
}

const given = process.env["KAFKA_BROKERS"];
const cluster = given ? undefined : await startKafka();
const figures = [1, 2, 3].map(() => onKafka(given || (cluster?.brokers.join(",") ?? "")));
await cluster?.stop();
console.log(
  "\nKafka → decode → batch → infer with a model that does nothing → Kafka; broker and app on this machine; median of 3\n",
);
console.log("| 1-image requests | |");
console.log("| --- | --- |");
console.log(
  `| drained from a backlog of 200,000, records/s | ${median(figures.map((one) => one.recordsPerSecond)).toFixed(0)} |`,
);
console.log(
  `| idle round trip p50 / p99, ms | ${median(figures.map((one) => one.roundTripMs.p50)).toFixed(1)} / ${median(figures.map((one) => one.roundTripMs.p99)).toFixed(1)} |`,
);
console.log(`| CPU while idle, ms per second | ${median(figures.map((one) => one.idleCpuMs)).toFixed(1)} |`);
