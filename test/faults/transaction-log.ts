import { join } from "node:path";
import type { KafkaCluster } from "../../scripts/brokers/kafka.ts";
import { until } from "../../scripts/brokers/until.ts";
import { runTool } from "./java.ts";
import type { Ledger } from "./ledger.ts";

/** How a transaction ended in one log; `none`: it left nothing there. */
type End = "COMMIT" | "ABORT" | "open" | "none";

/** What one transaction left in the log of the output and in that of the group's offsets. */
export interface LoggedTransaction {
  /** Producer id and epoch that its batches bear; empty for what is outside of any transaction. */
  readonly producer: string;
  /** The offset that the group had before it. */
  readonly from: number;
  /** Where the group is by its results, one per record of the input. */
  readonly resultsTo: number;
  /** Where the group is by its offset. */
  readonly offsetTo: number;
  readonly results: End;
  readonly offset: End;
}

/** Both or neither: results and offset of one producer are committed and go equally far, or none of them is. */
export function isWhole({ producer, results, offset, resultsTo, offsetTo }: LoggedTransaction): boolean {
  if (producer === "") return false;
  if (results === "COMMIT" || offset === "COMMIT") return results === offset && resultsTo === offsetTo;
  return true;
}

/** The transactions of a ledger with one partition that is not sealed, in order, as Kafka's own tool finds them in the files of its only broker. */
export async function loggedTransactions(cluster: KafkaCluster, ledger: Ledger): Promise<readonly LoggedTransaction[]> {
  let all: readonly LoggedTransaction[] = [];
  // A coordinator answers before it writes the markers.
  const ended = async (): Promise<boolean> => {
    all = joined(await dump(cluster, ledger));
    return all.every(({ results, offset }) => results !== "open" && offset !== "open");
  };
  await until(ended, { what: "the ends of all transactions", ms: 30_000, everyMs: 100 });
  return all;
}

/** A batch: `name: value` pairs of its first line, and the lines of its records. */
interface DumpedBatch {
  readonly file: string;
  readonly head: Readonly<Record<string, string>>;
  readonly records: string[];
}

/** What a transaction left in one log. */
interface Part {
  readonly producer: string;
  readonly from: number;
  to: number;
  end: End;
}

interface Parts {
  readonly results: readonly Part[];
  readonly offsets: readonly Part[];
}

async function dump(cluster: KafkaCluster, { output, input, groupId }: Ledger): Promise<Parts> {
  const folders = [`${output}-0`, ...[0, 1, 2].map((partition) => `__consumer_offsets-${partition}`)];
  const files = folders.map((folder) => join(cluster.nodes[0]?.dir ?? "", "data", folder, "00000000000000000000.log"));
  const options = ["--offsets-decoder", "--print-data-log", "--files", files.join(",")];
  const batches = batchesOf(await runTool(cluster, "kafka.tools.DumpLogSegments", options));
  const results = batches.filter(({ file }) => file.includes(output));
  const offsets = batches.filter(({ file }) => !file.includes(output));
  const place = `"group":"${groupId}","topic":"${input}","partition":0`;
  return {
    results: partsOf(results, ({ head }, from) => from + Number(head["count"])),
    offsets: partsOf(offsets, ({ records }) => {
      const record = records.findLast((line) => line.includes(place));
      const [, offset] = /"offset":(\d+)/.exec(record ?? "") ?? [];
      return offset === undefined ? undefined : Number(offset);
    }),
  };
}

function batchesOf(text: string): readonly DumpedBatch[] {
  const batches: DumpedBatch[] = [];
  let file = "";
  for (const line of text.split("\n")) {
    if (line.startsWith("Dumping ")) file = line;
    else if (line.startsWith("| ")) batches.at(-1)?.records.push(line);
    else if (line.startsWith("baseOffset:")) {
      const pairs = Array.from(line.matchAll(/(\w+): (\S+)/g), ([, name = "", value = ""]) => [name, value]);
      batches.push({ file, head: Object.fromEntries(pairs), records: [] });
    }
  }
  return batches;
}

/** @param reach where a batch that begins at `from` takes the group; undefined when it is not about it */
function partsOf(
  batches: readonly DumpedBatch[],
  reach: (batch: DumpedBatch, from: number) => number | undefined,
): readonly Part[] {
  const parts: Part[] = [];
  const open = new Map<string, Part>();
  let committed = 0;
  for (const batch of batches) {
    const { producerId = "", producerEpoch, isControl, isTransactional } = batch.head;
    if (isControl === "true") {
      const part = open.get(producerId);
      open.delete(producerId);
      if (part === undefined) continue;
      part.end = batch.records.some((line) => line.includes("endTxnMarker: COMMIT")) ? "COMMIT" : "ABORT";
      if (part.end === "COMMIT") committed = part.to;
      continue;
    }
    const before = open.get(producerId);
    const to = reach(batch, before?.to ?? committed);
    if (to === undefined) continue;
    if (before !== undefined) before.to = to;
    else {
      const part: Part = { producer: `${producerId}/${producerEpoch}`, from: committed, to, end: "open" };
      if (isTransactional === "true") open.set(producerId, part);
      else {
        Object.assign(part, { producer: "", end: "COMMIT" });
        committed = to;
      }
      parts.push(part);
    }
  }
  return parts;
}

/** Puts together what has the same producer and begins at the same offset. */
function joined({ results, offsets }: Parts): readonly LoggedTransaction[] {
  const all = new Map<string, LoggedTransaction>();
  const at = ({ producer, from }: Part): string => `${producer} ${from}`;
  for (const part of results) {
    const { producer, from, to, end } = part;
    all.set(at(part), { producer, from, resultsTo: to, offsetTo: from, results: end, offset: "none" });
  }
  for (const part of offsets) {
    const { producer, from, to, end } = part;
    if (to === from) continue; // the start of a new group
    const other = all.get(at(part)) ?? { producer, from, resultsTo: from, results: "none" };
    all.set(at(part), { ...other, offsetTo: to, offset: end });
  }
  return [...all.values()];
}
