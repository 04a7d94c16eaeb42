import type { Registry } from "prom-client";
import { Histogram, latencyBoundsMs } from "../../core/histogram.ts";
import type { NodeMetrics } from "../../operators/node-context.ts";
import type { StreamsApp } from "../../runtime/streams-app.ts";
import { isOperator } from "../../topology/topology.ts";
import { BusyWindow } from "./busy-window.ts";
import { mirrorCounter, mirrorGauge, mirrorHistogram } from "./mirror.ts";

const labels = ["application_id", "processor_node_id"];

/** A node, its app, and what it is called in labels. */
interface Node {
  readonly labels: Readonly<Record<string, string>>;
  readonly metrics: NodeMetrics;
  readonly busy: BusyWindow;
}

/** What each node of the apps does. From now on the nodes that end a stream read the clock for each record. */
export function registerNodeMetrics(registry: Registry, apps: readonly StreamsApp[], now: () => number): void {
  for (const app of apps) measureEndToEnd(app);
  const nodes = apps.flatMap((app) => nodesOf(app, now()));
  const callers = (): Node[] => nodes.filter(({ metrics }) => metrics.calls.underWay + metrics.calls.ended > 0);
  const all = <T>(read: (node: Node) => T): (readonly [Node["labels"], T])[] =>
    nodes.map((node) => [node.labels, read(node)]);
  const ofCallers = <T>(read: (node: Node) => T): (readonly [Node["labels"], T])[] =>
    callers().map((node) => [node.labels, read(node)]);

  mirrorCounter(registry, {
    name: "kafka_streams_stream_processor_node_metrics_process_total",
    help: "Records that came into the node.",
    labels,
    read: () => all(({ metrics }) => metrics.processed),
  });
  mirrorHistogram(
    registry,
    {
      name: "kafka_streams_stream_processor_node_metrics_record_e2e_latency_seconds",
      help: "Time from a record's timestamp to its leaving through the node.",
      labels,
      read: () =>
        nodes.flatMap(({ labels: values, metrics: { endToEndMs } }) =>
          endToEndMs === undefined ? [] : [[values, endToEndMs] as const],
        ),
    },
    0.001,
  );
  mirrorHistogram(
    registry,
    {
      name: "kafka_streams_stream_processor_node_metrics_process_latency_seconds",
      help: "Time that an asynchronous call of the node took: a batch in an engine, a promise.",
      labels,
      read: () => ofCallers(({ metrics }) => metrics.calls.durations),
    },
    0.001,
  );
  mirrorCounter(registry, {
    name: "kafka_streams_stream_task_metrics_dropped_records_total",
    help: "Records that failed in the node and were skipped.",
    labels,
    read: () => all(({ metrics }) => metrics.dropped),
  });
  mirrorCounter(registry, {
    name: "millrace_node_emitted_records_total",
    help: "Records that left the node for the next ones.",
    labels,
    read: () => all(({ metrics }) => metrics.emitted),
  });
  mirrorCounter(registry, {
    name: "millrace_node_errors_total",
    help: "Errors in the node, each attempt counted.",
    labels,
    read: () => all(({ metrics }) => metrics.errors),
  });
  mirrorGauge(registry, {
    name: "millrace_node_queued_rows",
    help: "Rows (records, where the node does not batch) that wait in the node.",
    labels,
    read: () => all(({ metrics }) => metrics.queued),
  });
  mirrorGauge(registry, {
    name: "millrace_node_held_records",
    help: "Records that the node keeps until something happens.",
    labels,
    read: () => all(({ metrics }) => metrics.held),
  });
  mirrorHistogram(registry, {
    name: "millrace_batch_rows",
    help: "Rows in a batch.",
    labels,
    read: () =>
      nodes.flatMap(({ labels: values, metrics: { batches, rowsOfBatches } }) =>
        batches === 0 ? [] : [[values, rowsOfBatches] as const],
      ),
  });
  mirrorCounter(registry, {
    name: "millrace_node_busy_seconds_total",
    help: "Time in which at least one asynchronous call of the node was under way.",
    labels,
    read: () => ofCallers(({ metrics }) => metrics.calls.occupiedMs(now()) / 1_000),
  });
  mirrorGauge(registry, {
    name: "millrace_node_busy_ratio",
    help: "Share of the last 30 seconds in which at least one asynchronous call of the node was under way.",
    labels,
    read: () => ofCallers(({ busy }) => busy.ratio(now())),
  });
}

function nodesOf({ applicationId, metrics }: StreamsApp, now: number): Node[] {
  return Array.from(metrics.nodes, ([name, node]) => ({
    labels: { application_id: applicationId, processor_node_id: name },
    metrics: node,
    busy: new BusyWindow((at) => node.calls.occupiedMs(at), now),
  }));
}

function measureEndToEnd({ topology, metrics }: StreamsApp): void {
  for (const node of topology.nodes) {
    const counters = metrics.nodes.get(node.name);
    if (counters === undefined || !isOperator(node) || !node.terminal) continue;
    counters.endToEndMs ??= new Histogram(latencyBoundsMs);
  }
}
