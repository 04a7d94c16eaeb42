import { describe, expect, test } from "vitest";
import { evaluate, evaluateClass, modelCard } from "../../../model/evaluation.ts";
import { labelOf, labels } from "../../../model/labels.ts";
import { readCnnMetadata } from "../../../model/artifacts.ts";

describe("evaluate", () => {
  const result = evaluate([0, 0, 1, 2], Uint8Array.of(0, 1, 1, 2));

  test("counts what was named right, and what was taken for what", () => {
    expect(result.accuracy).toBe(0.75);
    expect(result.confusion[1]).toEqual([1, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(result.confusion.flat().reduce((total, count) => total + count)).toBe(4);
  });

  test("tells precision from recall", () => {
    expect(evaluateClass(result, 0)).toEqual({ count: 1, precision: 0.5, recall: 1 });
    expect(evaluateClass(result, 1)).toEqual({ count: 2, precision: 1, recall: 0.5 });
    expect(evaluateClass(result, 9)).toEqual({ count: 0, precision: Number.NaN, recall: Number.NaN });
  });

  test("refuses answers that are not one for each label", () => {
    expect(() => evaluate([1], Uint8Array.of(1, 2))).toThrow(new RangeError("answers: expected 2, got 1"));
  });
});

test("the model card has the numbers of the metadata and of the evaluation", () => {
  const expected = Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
  const card = modelCard(
    { ...readCnnMetadata(), accuracy: { validation: 0.9, test: 0.8 } },
    evaluate([0, 1, 2, 3, 4, 5, 6, 7, 8, 8], expected),
  );
  expect(card).toContain("**80.00 %** of the 10,000 test images (sampling error ± 0.40 %");
  expect(card).toContain("542,230 parameters");
  expect(card).toContain("| Bag | 1 | 50.00 % | 100.00 % |");
  expect(card).toContain("| Ankle boot | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 1 | 0 |");
});

test("labels are in the order of the data set, and only ten", () => {
  expect(labels).toHaveLength(10);
  expect([labelOf(0), labelOf(6), labelOf(9)]).toEqual(["T-shirt/top", "Shirt", "Ankle boot"]);
  expect(() => labelOf(10)).toThrow(new RangeError("class index: expected an integer 0..9, got 10"));
});
