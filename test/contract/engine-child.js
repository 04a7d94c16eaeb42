// A process of its own for the engine contract: how it ends is the test.
//   node engine-child.js <scenario> <entry> <factory> <options as JSON>
import { setTimeout as sleep } from "node:timers/promises";
import { enginesAtRest } from "millrace";

const [scenario, entry, factory, options] = process.argv.slice(2);
const library = await import(entry);
const engine = await library[factory](JSON.parse(options))();

const images = 500; // a run of 10 to 50 ms
const run = () =>
  engine.run({ pixels: { type: "uint8", shape: [images, 28, 28, 1], data: new Uint8Array(images * 784) } });
const outcome = () =>
  run().then(
    () => "done",
    (error) => error.code,
  );
const say = (words) => process.stdout.write(`${words}\n`);

/**
 * Asks for so many runs that some of them still wait however late this process is served, and resolves while one
 * executes.
 */
async function middleOfRun() {
  await run(); // the first run is slower than all others
  const begun = performance.now();
  await run();
  const runMs = performance.now() - begun;
  const outcomes = Array.from({ length: 40 }, outcome);
  await sleep(runMs / 3);
  return outcomes;
}

const scenarios = {
  async close() {
    const outcomes = await middleOfRun();
    await engine.close();
    say((await Promise.all(outcomes)).join(" "));
  },

  async openAndClose() {
    await engine.close();
    say("end");
  },

  async leaveOpen() {
    await run();
    say("end");
  },

  async sigterm() {
    await middleOfRun();
    process.kill(process.pid, "SIGTERM");
    await sleep(60_000);
  },

  async sigtermThenClose() {
    const outcomes = await middleOfRun();
    const close = async () => {
      await engine.close();
      say((await Promise.all(outcomes)).join(" "));
    };
    process.once("SIGTERM", () => void close());
    process.kill(process.pid, "SIGTERM");
  },

  async exit() {
    await middleOfRun();
    process.exit(3);
  },

  async throw() {
    await middleOfRun();
    throw new Error("fatal");
  },

  async fatalThenRest() {
    const rest = async (error) => {
      await enginesAtRest();
      say(`at rest after: ${error.message}`);
      process.exit(7);
    };
    process.once("uncaughtException", (error) => void rest(error));
    const outcomes = await middleOfRun();
    setImmediate(() => {
      throw new Error("fatal");
    });
    await Promise.all(outcomes);
  },

  /**
   * Runs until the worker has died under a run (see engine-stray-error.js), then until three runs in a row have
   * succeeded.
   */
  async crash() {
    const seen = [];
    while (seen.at(-1) !== "ERR_ENGINE") seen.push(await outcome());
    say([...new Set(seen)].join(" "));
    say([await outcome(), await outcome(), await outcome()].join(" "));
    say(engine.info.isMainThread);
    await engine.close();
  },
};

await scenarios[scenario]();
