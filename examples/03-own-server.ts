// A topology of one's own and the trigger, inside one's own Fastify server.
import fastify from "fastify";
import { jsonSerde, StreamsApp, StreamsBuilder } from "millrace";
import { memoryBroker } from "millrace/memory";
import { trigger } from "millrace/service";
import { z } from "zod";

const rangeSchema = z.object({ start_idx: z.number(), end_idx: z.number() });

// What is asked for are numbers; the answer to each is whether it is even.
const builder = new StreamsBuilder();
builder
  .stream("NUMBERS", { value: jsonSerde(rangeSchema) })
  .mapValues(({ start_idx, end_idx }) => {
    const numbers = Array.from({ length: end_idx - start_idx }, (_, offset) => start_idx + offset);
    const predictions = numbers.map((number) => (number % 2 === 0 ? "even" : "odd"));
    return { start_idx, end_idx, predictions, scores: numbers.map(() => 1) };
  })
  .to("PARITIES", { value: jsonSerde() });

const broker = memoryBroker();
const app = new StreamsApp(builder.build(), { applicationId: "parity", broker });
await app.start();

const server = fastify();
server.get("/", () => "my own page");
await server.register(trigger, {
  prefix: "/parity",
  sessions: { memory: broker },
  topics: { input: "NUMBERS", output: "PARITIES", deadLetters: "parity.dlq" },
  images: 1_000,
  app,
});
const address = await server.listen({ host: "127.0.0.1", port: 0 });

const answer = await fetch(`${address}/parity/runs?wait=5s`, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ start_idx: 7, end_idx: 12 }),
});
const run = (await answer.json()) as { readonly status: string; readonly predictions: readonly string[] };
console.log(`${run.status}: ${run.predictions.join(", ")}`);

await server.close();
await app.close();
