import type { ModelMetadata } from "./artifacts.ts";
import { classCount } from "./image-shape.ts";
import { labels } from "./labels.ts";

/** How well a network names the images of a labelled set. */
export interface Evaluation {
  /** Share of all images that were named right, 0..1. */
  readonly accuracy: number;
  /** `confusion[label][answer]`: number of images of class `label` that were named `answer`. */
  readonly confusion: readonly (readonly number[])[];
}

/** How well one class is named. */
export interface ClassEvaluation {
  /** Images of the class. */
  readonly count: number;
  /** Of the images that were named so, the share that are of the class, 0..1; `NaN` when none was named so. */
  readonly precision: number;
  /** Of the images of the class, the share that were named so, 0..1; `NaN` when there are none. */
  readonly recall: number;
}

/**
 * Compares answers with labels: two class indices 0..9 for each image, in the same order.
 *
 * Errors: `RangeError` when the numbers of answers and labels differ.
 */
export function evaluate(answers: ArrayLike<number>, expected: Uint8Array): Evaluation {
  if (answers.length !== expected.length)
    throw new RangeError(`answers: expected ${expected.length}, got ${answers.length}`);
  const confusion = labels.map(() => Array.from({ length: classCount }, () => 0));
  let right = 0;
  expected.forEach((label, image) => {
    const answer = answers[image]!;
    confusion[label]![answer]! += 1;
    if (answer === label) right += 1;
  });
  return { accuracy: right / expected.length, confusion };
}

/** Precision and recall of one class. */
export function evaluateClass({ confusion }: Evaluation, classIndex: number): ClassEvaluation {
  const count = confusion[classIndex]!.reduce((total, images) => total + images, 0);
  const named = confusion.reduce((total, row) => total + row[classIndex]!, 0);
  const right = confusion[classIndex]![classIndex]!;
  return { count, precision: right / named, recall: right / count };
}

/** The text of `MODEL_CARD.md`, in Markdown. */
export function modelCard(metadata: ModelMetadata, test: Evaluation): string {
  const { training, accuracy } = metadata;
  const perClass = labels.map((label, classIndex) => {
    const { count, precision, recall } = evaluateClass(test, classIndex);
    return [label, count, percent(precision), percent(recall)];
  });
  return `# Model card: ${metadata.name}

Written by \`model/evaluate.ts\`; do not edit by hand.

${metadata.description}

- **Purpose:** the embedded model of the reference topology. It shows a model at work inside a stream; it is not meant for decisions about people or goods.
- **Input:** 28 × 28 grey images of one garment each, light on black, as in Fashion-MNIST. Other images give answers too, but meaningless ones.
- **Output:** a probability for each of ten classes.
- **Size:** ${metadata.parameters.toLocaleString("en-US")} parameters; ONNX file ${megabytes(metadata.onnx.sizeBytes)}, TensorFlow.js weights ${megabytes(metadata.layers.sizeBytes)}.
- **Accuracy:** **${percent(accuracy.test)}** of the 10,000 test images (sampling error ± ${percent(Math.sqrt((accuracy.test * (1 - accuracy.test)) / 10_000))}, one standard deviation); ${percent(accuracy.validation)} of the ${training.validationImages.toLocaleString("en-US")} held-out training images, by which the epoch was chosen. The test images had no part in the training or in any choice.
- **Training:** ${training.optimizer}, batch ${training.batchSize}, seed ${training.seed}, ${training.epochs} epochs over ${training.trainingImages.toLocaleString("en-US")} images, the weights of epoch ${training.chosenEpoch}; ${Math.round(training.seconds / 60)} minutes on two cores with ${training.library}. Again: \`${training.command}\`.
- **Data:** ${metadata.data.name}, ${metadata.data.license} licence, Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747.
- **Known weakness:** ${weakness(test)}.

## Per class

${table(["class", "images", "precision", "recall"], perClass)}

## Confusion matrix

Rows: what the image shows. Columns: what the network says.

${table(
  ["", ...labels],
  test.confusion.map((row, label) => [labels[label]!, ...row]),
)}

## Epochs

${table(
  ["epoch", "training loss", "held-out accuracy", "seconds"],
  training.history.map((epoch) => [
    epoch.epoch,
    epoch.loss.toFixed(4),
    percent(epoch.validationAccuracy),
    epoch.seconds.toFixed(1),
  ]),
)}
`;
}

/** The class that is named right least often, and the three that it is taken for most often. */
function weakness(test: Evaluation): string {
  const recalls = labels.map((_, classIndex) => evaluateClass(test, classIndex).recall);
  const weakest = recalls.indexOf(Math.min(...recalls));
  const mistakes = test.confusion[weakest]!.map((images, answer) => ({ images, answer }))
    .filter(({ answer }) => answer !== weakest)
    .toSorted((a, b) => b.images - a.images)
    .slice(0, 3)
    .map(({ images, answer }) => `${labels[answer]} (${images})`);
  return `${labels[weakest]}, named right in ${percent(recalls[weakest]!)} of its images; mostly taken for ${mistakes.join(", ")}`;
}

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]): string => `| ${cells.join(" | ")} |`;
  const ruler = head.map((_, column) => (column === 0 ? "---" : "---:"));
  return [line(head), line(ruler), ...rows.map(line)].join("\n");
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
