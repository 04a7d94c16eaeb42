import { interval, map, share, type Observable, type Subscription } from "rxjs";
import type { StreamsApp } from "../runtime/streams-app.ts";
import type { Runs } from "./runs.ts";

/** What is seen of the last seconds. */
export interface Stats {
  /** Images per second, over the last `windowMs`. */
  readonly images_per_second: number;
  /** Time from request to its first and further answers, milliseconds; null when nothing came in. */
  readonly p50_ms: number | null;
  readonly p99_ms: number | null;
  /** Records that the app is behind, over all partitions; null when no app runs here. */
  readonly lag: number | null;
  readonly state: string | null;
  /** Per node of the topology. */
  readonly nodes: Readonly<Record<string, NodeStats>>;
}

export interface NodeStats {
  /** Records, or images, that wait in front of it. */
  readonly depth: number;
  /** Records per second that left it. */
  readonly rate: number;
  /** Share of the time in which a call was under way, 0 to the number of calls at a time. */
  readonly busy: number;
}

/** How far back rates and latencies look, milliseconds. */
const windowMs = 10_000;

/** Answers that are remembered at most: a bound on memory, not on time. */
const keepAnswers = 10_000;

interface Answer {
  readonly at: number;
  readonly images: number;
  /** Undefined for requests that others published: when is not known. */
  readonly latencyMs: number | undefined;
}

/** Throughput and latency as the trigger sees them, and what the nodes of the app do. */
export class LiveStats {
  private readonly answers: Answer[] = [];
  private readonly app: StreamsApp | undefined;
  private readonly subscription: Subscription;
  private readonly ticks: Observable<Stats>;
  private before: { readonly at: number; readonly nodes: ReadonlyMap<string, Counted> };

  constructor(runs: Runs, app: StreamsApp | undefined) {
    this.app = app;
    this.before = { at: Date.now(), nodes: counted(app) };
    this.subscription = runs.events.subscribe((event) => {
      if (event.kind !== "slice") return;
      const { run, slice } = event;
      const at = Date.now();
      this.answers.push({
        at,
        images: slice.predictions.length,
        latencyMs: run.ours ? at - run.createdAt : undefined,
      });
      if (this.answers.length > keepAnswers) this.answers.shift();
    });
    // One tick for all who look.
    this.ticks = interval(1_000).pipe(
      map(() => this.read()),
      share(),
    );
  }

  /** Once a second, while somebody looks. */
  get everySecond(): Observable<Stats> {
    return this.ticks;
  }

  close(): void {
    this.subscription.unsubscribe();
  }

  private read(): Stats {
    const now = Date.now();
    while ((this.answers[0]?.at ?? now) < now - windowMs) this.answers.shift();
    const latencies = this.answers
      .flatMap(({ latencyMs }) => (latencyMs === undefined ? [] : [latencyMs]))
      .toSorted((a, b) => a - b);
    const images = this.answers.reduce((sum, answer) => sum + answer.images, 0);
    const { app } = this;
    return {
      images_per_second: Math.round((images * 1_000) / windowMs),
      p50_ms: quantile(latencies, 0.5),
      p99_ms: quantile(latencies, 0.99),
      lag: app === undefined ? null : [...app.lag.values()].reduce((sum, lag) => sum + lag, 0),
      state: app?.state ?? null,
      nodes: this.nodes(now),
    };
  }

  private nodes(now: number): Record<string, NodeStats> {
    const seconds = Math.max(0.001, (now - this.before.at) / 1_000);
    const current = counted(this.app);
    const stats = Array.from(current, ([name, node]): [string, NodeStats] => {
      const last = this.before.nodes.get(name) ?? node;
      return [
        name,
        {
          depth: node.depth,
          rate: Math.round((node.emitted - last.emitted) / seconds),
          busy: Math.round(((node.busyMs - last.busyMs) / seconds / 1_000) * 100) / 100,
        },
      ];
    });
    this.before = { at: now, nodes: current };
    return Object.fromEntries(stats);
  }
}

interface Counted {
  readonly depth: number;
  readonly emitted: number;
  readonly busyMs: number;
}

function counted(app: StreamsApp | undefined): ReadonlyMap<string, Counted> {
  return new Map(
    Array.from(app?.metrics.nodes ?? [], ([name, { queued, held, emitted, busyMs }]) => [
      name,
      { depth: queued + held, emitted, busyMs },
    ]),
  );
}

/** Value below which a share `q` of the sorted values lies. */
function quantile(sorted: readonly number[], q: number): number | null {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? null;
}
