#!/usr/bin/env node
import { createRequire } from "node:module";
import { Argument, Command, InvalidArgumentError, Option } from "commander";
import { messageOf } from "../core/errors.ts";
import { brokerNames } from "./brokers.ts";
import type { RunFlags } from "./run.ts";
import type { StartFlags } from "./start.ts";
import type { TriggerFlags } from "./trigger.ts";

const engines = ["auto", "onnx", "tfjs-node", "tfjs-wasm"];

function index(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError("expected a whole number of at least 0.");
}

function milliseconds(text: string): number {
  return index(text);
}

function count(text: string): number {
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new InvalidArgumentError("expected a whole number of at least 1.");
}

function program(): Command {
  const { version } = createRequire(import.meta.url)("millrace/package.json") as { version: string };
  const drain = new Option("--drain-ms <ms>", "longest wait for work under way when told to end")
    .argParser(milliseconds)
    .default(10_000);
  const json = new Option("--json", "log JSON lines").default(false);
  const verbose = new Option("--verbose", "log more than warnings").default(false);
  const engine = new Option("--engine <name>", "what executes the model").choices(engines).default("auto");
  const command = new Command("millrace")
    .description("Kafka Streams-style topologies in TypeScript, with a model inside.")
    .version(version)
    .showHelpAfterError();
  addStart(command, [engine, drain, verbose, json]);
  addTrigger(command, [verbose, json]);
  addRun(command, [engine, drain, verbose, json]);
  command
    .command("describe")
    .description("print the topology that a module exports")
    .argument("<module>", "file, folder or package whose default export is a Topology or (options) => Topology")
    .addOption(new Option("--format <format>", "how").choices(["text", "mermaid", "dot"]).default("text"))
    .action(async (module: string, { format }: { readonly format: "text" | "mermaid" | "dot" }) => {
      const { loadModule } = await import("./load-topology.ts");
      process.stdout.write((await loadModule(module, {})).topology.describe(format));
    });
  return command;
}

function addRun(command: Command, common: readonly Option[]): void {
  const run = command
    .command("run")
    .description(
      "run the topology that a module exports: on the embedded broker each line of standard input is a record; on the others until a signal comes",
    )
    .argument("<module>", "file, folder or package whose default export is a Topology or (options) => Topology")
    .option(
      "--application-id <id>",
      "names the consumer group and the dead letter topic (default: the module's own, else millrace)",
    )
    .option("--group-id <id>", "consumer group (default: the application's id if given, else the module's own)")
    .addOption(
      new Option("--guarantee <name>", "what is promised for each record")
        .choices(["at_least_once", "exactly_once"])
        .default("at_least_once"),
    )
    .option("--input <topic>", "topic that is read")
    .option("--output <topic>", "topic that results go to")
    .addOption(new Option("--sink <kind>", "where results go").choices(["console", "topic"]).default("console"))
    .action(async (module: string, flags: RunFlags) => {
      const { run: runModule } = await import("./run.ts");
      await runModule(module, flags);
    });
  for (const option of [...brokerOptions(), ...common]) run.addOption(option);
}

function brokerOptions(): Option[] {
  return [new Option("--broker <name>", "where it runs").choices(brokerNames).default("memory"), ...clientOptions()];
}

function clientOptions(): Option[] {
  return [
    new Option("--kafka-brokers <addresses>", "host:port of Kafka brokers, comma-separated (default: KAFKA_BROKERS)"),
    new Option("--create-topics", "create the topics (Pub/Sub: and subscriptions) that are missing").default(false),
    new Option("--partitions <n>", "of each topic created on Kafka (default: 1)").argParser(count),
    new Option("--replication-factor <n>", "of each topic created on Kafka (default: 1)").argParser(count),
  ];
}

function serverOptions(): Option[] {
  return [
    new Option("--host <address>", "address that is listened on; beyond loopback, set MILLRACE_TOKEN").default(
      "127.0.0.1",
    ),
    new Option("--port <n>", "port").argParser(index).default(5_000),
  ];
}

function addStart(command: Command, common: readonly Option[]): void {
  const start = command
    .command("start")
    .description(
      "classify Fashion-MNIST ranges: shows a page, runs [0, 10), and then what is asked for; or one range, and the end",
    )
    .addArgument(new Argument("[start]", "first image of the one range to run").argParser(index))
    .addArgument(new Argument("[end]", "image after the last").argParser(index))
    .action(async (first: number | undefined, end: number | undefined, flags: StartFlags) => {
      if (first !== undefined && end === undefined) command.error("error: give both ends of the range: start and end");
      const { runPage, runRange } = await import("./start.ts");
      await (first === undefined || end === undefined ? runPage(flags) : runRange({ start: first, end }, flags));
    });
  for (const option of [...brokerOptions(), ...serverOptions(), ...common]) start.addOption(option);
}

function addTrigger(command: Command, common: readonly Option[]): void {
  const trigger = command
    .command("trigger")
    .description("serve the trigger and its page for workers elsewhere, until a signal comes")
    .addOption(
      new Option(
        "--broker <names...>",
        "where runs may go (default: those whose address is in the environment)",
      ).choices(brokerNames.filter((name) => name !== "memory")),
    )
    .option(
      "--results-group <id>",
      "consumer group that reads results: each trigger needs one of its own",
      "millrace-trigger",
    )
    .action(async (flags: TriggerFlags) => {
      const { runTrigger } = await import("./trigger.ts");
      await runTrigger(flags);
    });
  for (const option of [...clientOptions(), ...serverOptions(), ...common]) trigger.addOption(option);
}

program()
  .parseAsync()
  .catch((cause: unknown) => {
    process.stderr.write(`error: ${messageOf(cause)}\n`);
    process.exitCode = 1;
  });
