export { kafkaBroker } from "./kafka-broker.ts";
export type { KafkaCodec, KafkaCodecName, KafkaOptions, KafkaTopicOptions } from "./options.ts";
