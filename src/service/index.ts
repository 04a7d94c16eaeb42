export { trigger } from "./trigger.ts";
export type { Gallery, TriggerOptions, TriggerTopics } from "./options.ts";
export { health, type HealthOptions } from "./health.ts";
