import type { Model, ModelSource } from "millrace";
import { jsonSerde, stringSerde } from "millrace";
import type { Classification } from "millrace/model";
import { TopologyTestDriver } from "millrace/testing";
import {
  embeddedInference,
  predictionLines,
  predictionSchema,
  type Range,
} from "millrace/topologies/embedded-inference";
import { describe, expect, test } from "vitest";

/** Says that image n is of class n modulo 10, with a confidence of 0.5; image 13 it refuses. */
const classifier: ModelSource<Range, Classification> = async () => {
  const model: Model<Range, Classification> = {
    info: { name: "modulo", sha256: "0123456789abcdef", engine: "none" },
    rows: ({ start, end }) => end - start,
    slice: ({ start }, from, to) => ({ start: start + from, end: start + to }),
    join: (parts) => ({
      classes: Uint8Array.from(parts.flatMap(({ classes }) => [...classes])),
      scores: Float32Array.from(parts.flatMap(({ scores }) => [...scores])),
    }),
    predict: async (ranges) => {
      if (ranges.some(({ start, end }) => start <= 13 && 13 < end)) throw new Error("unlucky");
      return ranges.map(({ start, end }) => {
        const indices = Array.from({ length: end - start }, (_, index) => (start + index) % 10);
        return { classes: Uint8Array.from(indices), scores: new Float32Array(indices.length).fill(0.5) };
      });
    },
    close: async () => {},
  };
  return model;
};

const json = jsonSerde(predictionSchema);

describe("the reference topology", () => {
  test("answers a range with labels and scores, and stamps who answered", async () => {
    await using driver = new TopologyTestDriver(embeddedInference({ classifier }));
    await driver.createInputTopic("INFERENCE", { value: stringSerde }).pipeInput('{"start_idx":0,"end_idx":3}');
    const [record, ...rest] = await driver.createOutputTopic("PREDICTIONS", { value: json }).readRecords();
    expect(rest).toEqual([]);
    expect(record?.value).toEqual({
      start_idx: 0,
      end_idx: 3,
      predictions: ["T-shirt/top", "Trouser", "Pullover"],
      scores: [0.5, 0.5, 0.5],
    });
    const headers = new Map(record?.headers.map(([name, value]) => [name, new TextDecoder().decode(value)]));
    expect(Object.fromEntries(headers)).toEqual({
      "millrace-model": "modulo@0123456789ab",
      "millrace-engine": "none",
      "millrace-id": "memory:INFERENCE/0@0/0#sink",
    });
  });

  test("answers a long range in slices of a thousand, in order where the request has a key", async () => {
    await using driver = new TopologyTestDriver(embeddedInference({ classifier }));
    const requests = driver.createInputTopic("INFERENCE", { key: stringSerde, value: stringSerde });
    await requests.pipeInput("me", '{"start_idx":100,"end_idx":2500}');
    await requests.pipeInput("me", '{"start_idx":20,"end_idx":21}');
    const records = await driver.createOutputTopic("PREDICTIONS", { value: json }).readRecords();
    expect(records.map(({ value }) => [value.start_idx, value.end_idx])).toEqual([
      [100, 1100],
      [1100, 2100],
      [2100, 2500],
      [20, 21],
    ]);
    expect(records[1]?.value.predictions).toHaveLength(1000);
  });

  test.each([
    ["nope", /not valid JSON/],
    ["{}", /start_idx/],
    ['{"start_idx":01,"end_idx":2}', /JSON/],
    ['{"start_idx":0.5,"end_idx":2}', /start_idx/],
    ['{"start_idx":"0","end_idx":2}', /start_idx/],
    ['{"start_idx":-1,"end_idx":2}', /start_idx/],
    ['{"start_idx":2,"end_idx":2}', /end_idx: must be above start_idx/],
    ['{"start_idx":0,"end_idx":10001}', /end_idx/],
    ["", /start_idx/],
  ])("dead-letters %j with its reason, and answers its neighbours", async (request, reason) => {
    await using driver = new TopologyTestDriver(embeddedInference({ classifier }));
    const requests = driver.createInputTopic("INFERENCE", { value: stringSerde });
    await requests.pipeInput(request);
    await requests.pipeInput('{"start_idx":0,"end_idx":2}');
    expect(await driver.createOutputTopic("PREDICTIONS", { value: json }).readRecords()).toHaveLength(1);
    const letters = await driver.deadLetters();
    expect(letters).toMatchObject([
      { error: { code: "ERR_DECODE", node: "source", position: "memory:INFERENCE/0@0" } },
    ]);
    expect(letters[0]?.error.message).toMatch(reason);
    expect(new TextDecoder().decode(letters[0]?.record.value ?? undefined)).toBe(request);
  });

  test("takes indices from headers when the value is empty, as the replaced publisher sends them", async () => {
    await using driver = new TopologyTestDriver(embeddedInference({ classifier }));
    const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
    const requests = driver.createInputTopic("INFERENCE", { value: stringSerde });
    await requests.pipeInput(null, "", {
      headers: [
        ["start_idx", bytes("4")],
        ["end_idx", bytes("6")],
        ["run_id", bytes("r1")],
      ],
    });
    const record = await driver.createOutputTopic("PREDICTIONS", { value: json }).readRecord();
    expect(record?.value).toMatchObject({ start_idx: 4, end_idx: 6, predictions: ["Coat", "Sandal"] });
    expect(record?.headers).toContainEqual(["run_id", bytes("r1")]);
  });

  test.each([
    [{}, "start_idx: expected a header with a whole number as text, since the value is empty; got none"],
    [{ start_idx: "1" }, "end_idx: expected a header with a whole number as text, since the value is empty; got none"],
    [
      { start_idx: "one", end_idx: "2" },
      'start_idx: expected a header with a whole number as text, since the value is empty; got "one"',
    ],
    [{ start_idx: "", end_idx: "2" }, 'since the value is empty; got ""'],
    [{ start_idx: "3", end_idx: "2" }, "end_idx: must be above start_idx"],
  ])(
    "dead-letters headers %j with what was expected and what came",
    async (headers: Record<string, string>, reason) => {
      await using driver = new TopologyTestDriver(embeddedInference({ classifier }));
      const encoded = Object.entries(headers).map(([name, text]) => [name, new TextEncoder().encode(text)] as const);
      await driver.createInputTopic("INFERENCE", { value: stringSerde }).pipeInput(null, "", { headers: encoded });
      const [letter] = await driver.deadLetters();
      expect(letter?.error).toMatchObject({ code: "ERR_DECODE", node: "source", position: "memory:INFERENCE/0@0" });
      expect(letter?.error.message).toContain(reason);
    },
  );

  test("an image that the model refuses costs only its own request", async () => {
    await using driver = new TopologyTestDriver(embeddedInference({ classifier }));
    const requests = driver.createInputTopic("INFERENCE", { value: stringSerde });
    for (const start of [12, 13, 14]) await requests.pipeInput(`{"start_idx":${start},"end_idx":${start + 1}}`);
    const records = await driver.createOutputTopic("PREDICTIONS", { value: json }).readRecords();
    expect(records.map(({ value }) => value.start_idx)).toEqual([12, 14]);
    expect(await driver.deadLetters()).toMatchObject([{ error: { node: "infer", message: /unlucky/, path: "/0" } }]);
  });

  test("describes itself", () => {
    expect(embeddedInference({ classifier }).describe()).toMatchInlineSnapshot(`
      "Topologies:
         Sub-topology: 0
          Source: source (topics: [INFERENCE])
            --> decode
          Processor: decode (stores: [])
            --> infer
            <-- source
          Processor: infer (stores: [])
            --> sink
            <-- decode
          Sink: sink (topic: PREDICTIONS)
            <-- infer

      "
    `);
  });

  test("prints a heading and the labels", () => {
    const prediction = { start_idx: 0, end_idx: 2, predictions: ["Bag", "Dress"], scores: [1, 1] };
    const at = new Date(2026, 10, 23, 18, 0, 0).getTime();
    expect(predictionLines(prediction, at)).toBe("[2026-11-23 18:00:00] Model Inference [0 - 2]\nBag, Dress");
  });
});
