import type { Registry } from "prom-client";
import { appStates } from "../../runtime/state.ts";
import type { StreamsApp } from "../../runtime/streams-app.ts";
import type { AppMetrics } from "../../runtime/metrics.ts";
import { mirrorCounter, mirrorGauge } from "./mirror.ts";

const labels = ["application_id"];

/** Counters of an app, under their names. */
const counters: readonly (readonly [name: string, help: string, read: (metrics: AppMetrics) => number])[] = [
  [
    "kafka_streams_stream_thread_metrics_commit_total",
    "Positions up to which a partition became durably done.",
    ({ commits }) => commits,
  ],
  ["millrace_deliveries_total", "Records that the broker handed out.", ({ delivered }) => delivered],
  [
    "millrace_deliveries_redelivered_total",
    "Records that the broker handed out again, as far as it knows.",
    ({ redelivered }) => redelivered,
  ],
  ["millrace_deliveries_settled_total", "Deliveries acked.", ({ settled }) => settled],
  ["millrace_deliveries_released_total", "Deliveries given back undone.", ({ released }) => released],
  ["millrace_deliveries_lost_total", "Deliveries whose partition went to another one first.", ({ lost }) => lost],
  ["millrace_dead_letters_total", "Dead letters written.", ({ deadLetters }) => deadLetters],
  ["millrace_restarts_total", "Times that session and pipeline were replaced.", ({ restarts }) => restarts],
];

/** What each app does as a whole. */
export function registerAppMetrics(registry: Registry, apps: readonly StreamsApp[], now: () => number): void {
  const all = <T>(read: (app: StreamsApp) => T): (readonly [Record<string, string>, T])[] =>
    apps.map((app) => [{ application_id: app.applicationId }, read(app)]);

  for (const [name, help, read] of counters) {
    mirrorCounter(registry, { name, help, labels, read: () => all(({ metrics }) => read(metrics)) });
  }
  mirrorGauge(registry, {
    name: "kafka_streams_stream_metrics_state",
    help: "1 for the state that the app is in, 0 for the others.",
    labels: [...labels, "state"],
    read: () =>
      apps.flatMap(({ applicationId, state: present }) =>
        appStates.map((state) => [{ application_id: applicationId, state }, state === present ? 1 : 0] as const),
      ),
  });
  mirrorGauge(registry, {
    name: "kafka_consumer_consumer_fetch_manager_metrics_records_lag",
    help: "Records behind the group's progress, as of the last fetch.",
    labels: [...labels, "topic", "partition"],
    read: () =>
      apps.flatMap(({ applicationId, lag }) =>
        Array.from(lag, ([id, records]) => {
          const slash = id.lastIndexOf("/");
          const place = { topic: id.slice(0, slash), partition: id.slice(slash + 1) };
          return [{ application_id: applicationId, ...place }, records] as const;
        }),
      ),
  });
  mirrorGauge(registry, {
    name: "millrace_deliveries_in_flight",
    help: "Deliveries that are neither settled, given back nor lost.",
    labels,
    read: () => all(({ metrics }) => metrics.inFlight),
  });
  mirrorGauge(registry, {
    name: "millrace_oldest_in_flight_age_seconds",
    help: "Time since the oldest delivery in flight came; 0 without one.",
    labels,
    read: () => all(({ oldestArrival }) => (oldestArrival === undefined ? 0 : (now() - oldestArrival) / 1_000)),
  });
  mirrorGauge(registry, {
    name: "millrace_records_backing_off",
    help: "Records that wait for another attempt.",
    labels,
    read: () => all(({ backingOff }) => backingOff),
  });
}
