// Testing a topology
export { TopologyTestDriver, type TopologyTestDriverOptions } from "./topology-test-driver.ts";
export { TestInputTopic, type InputSerdes, type PipeOptions, type TestInput } from "./test-input-topic.ts";
export { TestOutputTopic, type OutputSerdes, type TestRecord } from "./test-output-topic.ts";
export type { DeadLetter } from "./dead-letter.ts";
export { VirtualScheduler } from "./virtual-scheduler.ts";

// Testing a driver
export {
  brokerContract,
  brokerHarness,
  lackingFor,
  type BrokerFeature,
  type BrokerHarness,
  type BrokerHarnessOptions,
  type ContractCase,
} from "./contract/index.ts";
