import { startKafka } from "../../scripts/brokers/kafka.ts";
import { startPubSubEmulator } from "../../scripts/brokers/pubsub.ts";
import { kafkaBrokers, pubsubEmulator } from "./addresses.ts";

type Stop = () => Promise<void>;

/**
 * Real brokers for the tests of a project: those of `KAFKA_BROKERS` and `PUBSUB_EMULATOR_HOST`, else ones that are started here. The
 * first project sets the variables, which test workers inherit and the next project finds.
 *
 * What can't be had is skipped, with a line that says why; under `CI=true` it fails.
 */
export async function setup(): Promise<Stop> {
  const stops = await Promise.all([
    kafkaBrokers() === undefined ? begin("Kafka", "KAFKA_BROKERS", kafka) : undefined,
    pubsubEmulator() === undefined ? begin("Pub/Sub", "PUBSUB_EMULATOR_HOST", pubsub) : undefined,
  ]);
  return async () => {
    await Promise.all(stops.map(async (stop) => stop?.()));
  };
}

interface Begun {
  readonly address: string;
  readonly stop: Stop;
}

async function kafka(): Promise<Begun> {
  const { brokers, stop } = await startKafka();
  return { address: brokers.join(","), stop };
}

async function pubsub(): Promise<Begun> {
  const { host, stop } = await startPubSubEmulator();
  return { address: host, stop };
}

async function begin(name: string, variable: string, start: () => Promise<Begun>): Promise<Stop | undefined> {
  try {
    const { address, stop } = await start();
    process.env[variable] = address;
    return async () => {
      await stop();
      // Watching, the next run starts another.
      Reflect.deleteProperty(process.env, variable);
    };
  } catch (cause) {
    if (process.env["CI"] === "true") throw cause;
    const why = (cause instanceof Error ? cause.message : String(cause)).replaceAll(/\s*\n\s*/g, " | ");
    process.stderr.write(`tests on ${name} are skipped: ${why}\n`);
    return undefined;
  }
}
