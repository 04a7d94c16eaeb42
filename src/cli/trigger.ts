import type { Broker } from "../core/broker.ts";
import { brokersOfEnvironment, chooseBroker, type BrokerFlags, type BrokerName } from "./brokers.ts";
import { stopSignal, untilStopped } from "./serve.ts";
import { listen, triggerServer, type ServerFlags } from "./server.ts";
import { loadTestGallery } from "./test-gallery.ts";
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
  const logger = terminalLogger(flags);
  const sessions: Record<string, Broker> = {};
  for (const name of flags.broker ?? brokersOfEnvironment()) {
    sessions[name] = (await chooseBroker({ ...flags, broker: name }, runDefaults.pubsubTopics)).broker;
  }
  const gallery = await loadTestGallery(logger);
  const server = await triggerServer({ sessions, gallery, groupId: flags.resultsGroup }, logger);
  const { stopped, dispose } = stopSignal();
  await writeLine(`${await listen(server, flags)} takes runs for ${Object.keys(sessions).join(", ")}`);
  await untilStopped(stopped);
  dispose();
  await server.close();
  // What still tries to reach a broker that is away has nothing to do any more.
  setTimeout(() => process.exit(), graceMs).unref();
}
