import { Counter, Gauge, Histogram, type LabelValues, type MetricValueWithName, type Registry } from "prom-client";
import type { Histogram as Counted } from "../../core/histogram.ts";

/** Values by labels, as they are now. */
type Reading<T> = Iterable<readonly [labels: Readonly<Record<string, string>>, value: T]>;

/** A metric whose values are counted elsewhere, and read when somebody asks. */
export interface Mirrored<T> {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  readonly read: () => Reading<T>;
}

export function mirrorCounter(registry: Registry, { name, help, labels, read }: Mirrored<number>): void {
  void new Counter({
    name,
    help,
    labelNames: labels,
    registers: [registry],
    collect() {
      this.reset();
      for (const [labelValues, value] of read()) this.inc(labelValues, value);
    },
  });
}

/** What is not read any more is gone: a partition that another one has now. */
export function mirrorGauge(registry: Registry, { name, help, labels, read }: Mirrored<number>): void {
  void new Gauge({
    name,
    help,
    labelNames: labels,
    registers: [registry],
    collect() {
      this.reset();
      for (const [labelValues, value] of read()) this.set(labelValues, value);
    },
  });
}

/** @param scale what the counted values are multiplied with: 0.001 for milliseconds that are shown as seconds */
export function mirrorHistogram(registry: Registry, mirrored: Mirrored<Counted>, scale = 1): void {
  registry.registerMetric(new MirroredHistogram(mirrored, scale));
}

/** Shown with the buckets of another histogram. */
class MirroredHistogram extends Histogram {
  private readonly mirrored: Mirrored<Counted>;
  private readonly scale: number;

  constructor(mirrored: Mirrored<Counted>, scale: number) {
    const { name, help, labels } = mirrored;
    super({ name, help, labelNames: labels, registers: [] });
    this.mirrored = mirrored;
    this.scale = scale;
  }

  /** What `get` and the registry call, although it is not in the types of prom-client. */
  async getForPromString(): Promise<object> {
    const { name, help, read } = this.mirrored;
    const values = Array.from(read(), ([labels, counted]) => this.export(labels, counted)).flat();
    return { name, help, type: "histogram", aggregator: "sum", values };
  }

  private export(labels: LabelValues<string>, { bounds, counts, sum }: Counted): MetricValueWithName<string>[] {
    const { name } = this.mirrored;
    let count = 0;
    const buckets = counts.map((inBucket, index) => {
      count += inBucket;
      const bound = bounds[index];
      // 0.001 has no exact form: the product may end in a 1 that nobody meant.
      const le = bound === undefined ? "+Inf" : Number((bound * this.scale).toPrecision(12));
      return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: count };
    });
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: sum * this.scale },
      { metricName: `${name}_count`, labels, value: count },
    ];
  }
}
