import { batchMap, type BatchMapOptions } from "../../../src/operators/batch-map.ts";
import type { Envelope } from "../../../src/operators/envelope.ts";
import { Harness, type Running } from "./harness.ts";

export interface Range {
  readonly from: number;
  readonly to: number;
}

export interface Batch {
  readonly values: readonly Range[];
  readonly end: (outputs?: readonly string[]) => void;
  readonly fail: (cause: Error) => void;
}

/** Ranges of rows; the batches that were formed are ended by the test. */
export class Bench {
  readonly harness: Harness;
  readonly batches: Batch[] = [];
  readonly running: Running<Envelope<string | null, Range>, Envelope<string | null, string>>;

  constructor(
    options: Partial<BatchMapOptions<Range, string>> & { readonly maxSize: number },
    harness = new Harness(),
  ) {
    this.harness = harness;
    const operator = batchMap<string | null, Range, string, string>(
      {
        rows: ({ from, to }) => to - from,
        slice: ({ from }, first, last) => ({ from: from + first, to: from + last }),
        join: (outputs) => outputs.join("|"),
        ...options,
      },
      (values) =>
        new Promise((resolve, reject) => {
          this.batches.push({ values, end: (outputs = values.map(nameOf)) => resolve(outputs), fail: reject });
        }),
      (record, output) => record.withValue(output),
      harness.context,
    );
    this.running = harness.run(operator);
  }

  put(...ranges: readonly (readonly [number, number])[]): void {
    this.running.put(...ranges.map(([from, to]) => this.harness.envelope({ from, to })));
  }

  sizes(): number[] {
    return this.batches.map(({ values }) => values.reduce((sum, { from, to }) => sum + to - from, 0));
  }
}

export function nameOf({ from, to }: Range): string {
  return `${from}-${to}`;
}
