export { memoryBroker, MemoryBroker, type MemoryBrokerOptions } from "./memory-broker.ts";
export type { Faults, Refusal } from "./faults.ts";
