export { trigger } from "./trigger.ts";
export type { Gallery, TriggerOptions, TriggerTopics } from "./options.ts";
export { metrics, type MetricsOptions } from "./metrics/index.ts";
export { health, type HealthOptions } from "./health.ts";
