export { pubsubBroker } from "./pubsub-broker.ts";
export type { PubSubOptions } from "./options.ts";
