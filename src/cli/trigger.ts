import { env } from "node:process";
import type { Broker } from "../core/broker.ts";
import { ConfigError } from "../core/errors.ts";
import { chooseBroker, type BrokerFlags, type BrokerName } from "./brokers.ts";
import { stopSignal, untilStopped } from "./serve.ts";
import { listen, triggerServer, type ServerFlags } from "./server.ts";
import { terminalLogger, writeLine, type LogFlags } from "./terminal.ts";

export interface TriggerFlags extends LogFlags, Omit<BrokerFlags, "broker">, ServerFlags {
  readonly broker?: readonly BrokerName[];
  readonly resultsGroup: string;
}

/** How long the process may take to end by itself once all is closed, milliseconds. */
const graceMs = 1_000;

/** The trigger alone: runs go to brokers that other processes read. */
export async function runTrigger(flags: TriggerFlags): Promise<void> {
  const { runDefaults } = await import("millrace/topologies/embedded-inference");
  const { imageSide, labels, loadTestSet } = await import("millrace/model");
  const logger = terminalLogger(flags);
  const sessions: Record<string, Broker> = {};
  for (const name of flags.broker ?? brokersOfEnvironment()) {
    sessions[name] = (await chooseBroker({ ...flags, broker: name }, runDefaults.pubsubTopics)).broker;
  }
  const set = await loadTestSet({ allowSynthetic: true, warn: (message) => logger.warn({}, message) });
  const options = {
    sessions,
    gallery: { images: set.images, labels: set.labels, names: labels, side: imageSide },
    groupId: flags.resultsGroup,
  };
  const server = await triggerServer(options, logger);
  const { stopped, dispose } = stopSignal();
  await writeLine(`${await listen(server, flags)} takes runs for ${Object.keys(sessions).join(", ")}`);
  await untilStopped(stopped);
  dispose();
  await server.close();
  // What still tries to reach a broker that is away has nothing to do any more.
  setTimeout(() => process.exit(), graceMs).unref();
}

function brokersOfEnvironment(): readonly BrokerName[] {
  const names: BrokerName[] = [];
  if (env["KAFKA_BROKERS"]) names.push("kafka");
  if (env["PUBSUB_EMULATOR_HOST"] || env["PUBSUB_PROJECT_ID"] || env["GOOGLE_APPLICATION_CREDENTIALS"])
    names.push("pubsub");
  if (names.length > 0) return names;
  throw new ConfigError(
    "no broker: give --broker kafka or --broker pubsub, or set KAFKA_BROKERS or PUBSUB_EMULATOR_HOST",
  );
}
