import { readFile } from "node:fs/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { readCnnMetadata } from "../../model/artifacts.ts";
import type { LabelledImages } from "../../model/dataset.ts";
import { evaluate, evaluateClass, type Evaluation, modelCard } from "../../model/evaluation.ts";
import { labels } from "../../model/labels.ts";
import { drawnImages, testImages } from "./images.ts";
import { classesOf, onnxScores } from "./runtimes.ts";

async function evaluateOn(set: LabelledImages): Promise<Evaluation> {
  return evaluate(classesOf(await onnxScores(set.images)), set.labels);
}

describe.skipIf(testImages === undefined)("on the 10,000 test images", () => {
  let evaluation: Evaluation;
  beforeAll(async () => {
    evaluation = await evaluateOn(testImages!);
  }, 60_000);

  test("the network names at least 90.5 % right, and as many as its metadata says", () => {
    expect(evaluation.accuracy).toBeGreaterThanOrEqual(0.905);
    expect(evaluation.accuracy).toBe(readCnnMetadata().accuracy.test);
  });

  test("the model card is what this evaluation says", async () => {
    const card = await readFile(new URL("../../model/MODEL_CARD.md", import.meta.url), "utf8");
    expect(card).toBe(modelCard(readCnnMetadata(), evaluation));
  });
});

describe("on the 10,000 drawn garments", () => {
  let evaluation: Evaluation;
  beforeAll(async () => {
    evaluation = await evaluateOn(drawnImages);
  }, 60_000);

  test("the network names at least 80 % right", () => {
    expect(evaluation.accuracy).toBeGreaterThanOrEqual(0.8);
  });

  test.each(labels.map((label, classIndex) => ({ label, classIndex })))(
    "it names at least half of the class $label right",
    ({ classIndex }) => {
      expect(evaluateClass(evaluation, classIndex).recall).toBeGreaterThanOrEqual(0.5);
    },
  );
});
