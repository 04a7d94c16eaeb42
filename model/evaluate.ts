/**
 * Measures the committed network on the 10,000 test images with TensorFlow, and writes the accuracy into its metadata
 * and `MODEL_CARD.md`.
 *
 *     npx tsx --conditions=source model/evaluate.ts
 *
 * `train.ts` ends with this. Needs tfjs-node and Fashion-MNIST, as `train.ts` does.
 */
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { imageSide } from "./image-shape.ts";
import { cnnArtifacts, readCnnMetadata } from "./artifacts.ts";
import { loadFashionMnist } from "./dataset.ts";
import { evaluate, type Evaluation, modelCard } from "./evaluation.ts";
import { loadTensorFlow } from "./tensorflow.ts";

/** Evaluates the network whose files are there, and writes the result beside them. Resolves to it. */
export async function evaluateArtifacts(): Promise<Evaluation> {
  const data = await loadFashionMnist({ split: "test" });
  const tf = loadTensorFlow();
  const model = await tf.loadLayersModel(cnnArtifacts.layers.href);
  const answers = tf.tidy(() => {
    const pixels = tf.tensor4d(
      Float32Array.from(data.images, (pixel) => pixel / 255),
      [data.labels.length, imageSide, imageSide, 1],
    );
    const scores = model.predict(pixels, { batchSize: 500 });
    return tf.argMax(Array.isArray(scores) ? scores[0]! : scores, 1).dataSync();
  });
  const result = evaluate(answers, data.labels);
  const recorded = readCnnMetadata();
  const metadata = { ...recorded, accuracy: { ...recorded.accuracy, test: result.accuracy } };
  await writeFile(cnnArtifacts.metadata, `${JSON.stringify(metadata, null, 2)}\n`);
  await writeFile(new URL("./MODEL_CARD.md", import.meta.url), modelCard(metadata, result));
  console.log(`test accuracy ${result.accuracy}`);
  return result;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await evaluateArtifacts();
