// Publishes three ranges to the embedded broker, prints the labels that come back, and how many of them are right.
import { jsonSerde, StreamsApp } from "millrace";
import { memoryBroker } from "millrace/memory";
import { imageClassifier, labelOf, loadTestSet } from "millrace/model";
import { embeddedInference, predictionSchema } from "millrace/topologies/embedded-inference";

const ranges = [
  { start_idx: 0, end_idx: 10 },
  { start_idx: 1_000, end_idx: 1_032 },
  { start_idx: 7_000, end_idx: 9_500 },
];

const testSet = await loadTestSet({ allowSynthetic: true });
const topology = embeddedInference({ classifier: imageClassifier({ images: testSet.images }) });
const broker = memoryBroker();
const app = new StreamsApp(topology, { applicationId: "example", broker });
await app.start();

const json = jsonSerde();
for (const range of ranges) {
  const value = await json.serialize(range, [], "INFERENCE");
  broker.publish([{ topic: "INFERENCE", key: null, value, headers: [], timestamp: Date.now() }]);
}
await app.whenSettled(ranges.length);
await app.close();

let right = 0;
let total = 0;
const predictionSerde = jsonSerde(predictionSchema);
for (const record of broker.records("PREDICTIONS")) {
  if (record.value === null) continue;
  const { start_idx, end_idx, predictions } = await predictionSerde.deserialize(
    record.value,
    record.headers,
    record.topic,
  );
  const shown = predictions.length > 10 ? `${predictions.slice(0, 10).join(", ")}, …` : predictions.join(", ");
  console.log(`[${start_idx} - ${end_idx}] ${shown}`);
  total += predictions.length;
  right += predictions.filter((label, index) => label === labelOf(testSet.labels[start_idx + index] ?? -1)).length;
}
console.log(`${right} of ${total} images right (${((100 * right) / total).toFixed(1)} %), ${testSet.source}`);
