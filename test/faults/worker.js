// A worker of its own process, so that it can be killed and stopped: input → mapAsync → output.
//   node worker.js <options as JSON>
// Says READY, ASSIGNED <partitions> after each rebalance, FAILED <why>; closes on SIGTERM and says CLOSED.
import { setTimeout as sleep } from "node:timers/promises";
import { StreamsApp, StreamsBuilder, stringSerde } from "millrace";
import { kafkaBroker } from "millrace/kafka";

const { kafka, input, output, latencyMs = 0, reset = "earliest", ...options } = JSON.parse(process.argv[2]);
const say = (words) => process.stdout.write(`${words}\n`);
const nothing = () => {};
const warn = (fields, message) => say(`WARN ${message} ${fields.err?.message ?? fields.error ?? ""}`);

const builder = new StreamsBuilder();
const source = builder.stream(input, { value: stringSerde, autoOffsetReset: reset });
const worked =
  latencyMs > 0
    ? source.mapAsync((value) => sleep(Math.random() * latencyMs).then(() => value), { concurrency: 64 })
    : source.mapValues((value) => value);
worked.to(output, { value: stringSerde });

const app = new StreamsApp(builder.build(), {
  applicationId: options.groupId,
  broker: kafkaBroker(kafka),
  errors: { uncaught: () => "RETRY" },
  logger: {
    trace: nothing,
    debug: nothing,
    info: (fields, message) => {
      if (message === "kafka partitions are assigned")
        say(`ASSIGNED ${JSON.stringify(Object.values(fields.assignment).flat())}`);
    },
    warn,
    error: warn,
  },
  ...options,
});
process.on("SIGTERM", () => {
  void app.close({ drainMs: 5_000 }).then(() => {
    say("CLOSED");
    process.exit(0);
  });
});
app.states.subscribe((state) => state === "ERROR" && say(`FAILED ${app.error}`));
await app.start();
say("READY");
