// Any ONNX file inside a topology: values in, values out, and a codec of ten lines in between.
import { bytesSerde, engineModel, stringSerde, StreamsApp, StreamsBuilder, type TensorCodec } from "millrace";
import { memoryBroker } from "millrace/memory";
import { cnnArtifacts, drawGarments, labels } from "millrace/model";
import { onnxEngine } from "millrace/onnx";

// A picture is 784 bytes, 28 × 28 grey values; an answer is a label. The file's input is `pixels`, its output `scores`.
const codec: TensorCodec<Uint8Array, string> = {
  encode: (pictures, rows) => {
    const data = new Uint8Array(rows * 784);
    pictures.forEach((picture, row) => data.set(picture, row * 784));
    return { pixels: { type: "uint8", shape: [rows, 28, 28, 1], data } };
  },
  decode: ({ scores }, pictures) =>
    pictures.map((_, row) => {
      const ten = Array.from(scores?.data.subarray(row * 10, row * 10 + 10) ?? [], Number);
      return labels[ten.indexOf(Math.max(...ten))] ?? "unknown";
    }),
};
const model = engineModel(onnxEngine({ model: cnnArtifacts.onnx }), codec, { name: "own" });

const builder = new StreamsBuilder();
builder
  .stream("PICTURES", { value: bytesSerde })
  .batch({ maxSize: 64 })
  .infer(model, (_picture, label) => label)
  .to("LABELS", { value: stringSerde });

const broker = memoryBroker();
const app = new StreamsApp(builder.build(), { applicationId: "own-model", broker });
await app.start();
const { images } = drawGarments({ count: 100 });
for (let index = 0; index < 100; index += 1) {
  const value = images.slice(index * 784, (index + 1) * 784);
  broker.publish([{ topic: "PICTURES", key: null, value, headers: [], timestamp: Date.now() }]);
}
await app.whenSettled(100);
await app.close();
const decoder = new TextDecoder();
console.log(
  broker
    .records("LABELS")
    .map(({ value }) => decoder.decode(value ?? undefined))
    .join(", "),
);
