import { onnxEngine } from "millrace/onnx";
import { describeEngine } from "./engine-contract.ts";
import { network, sha256Of } from "./engine-files.ts";

const options = { model: network.onnx };

await describeEngine("onnx", {
  open: (more) => onnxEngine({ ...options, ...more })(),
  info: { name: "onnx", modelSha256: sha256Of(network.onnx) },
  child: ["millrace/onnx", "onnxEngine", JSON.stringify(options)],
});
