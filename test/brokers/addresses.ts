/** Addresses of the Kafka that tests use; undefined when there is none. */
export function kafkaBrokers(): string[] | undefined {
  const brokers = process.env["KAFKA_BROKERS"];
  return brokers === undefined || brokers === "" ? undefined : brokers.split(",");
}

/** Address of the Pub/Sub emulator that tests use; undefined when there is none. */
export function pubsubEmulator(): string | undefined {
  return process.env["PUBSUB_EMULATOR_HOST"] || undefined;
}
