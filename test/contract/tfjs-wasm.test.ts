import { tfjsWasmEngine } from "millrace/tfjs";
import { describeEngine } from "./engine-contract.ts";
import { network, sha256Of } from "./engine-files.ts";

const options = { model: network.layers, inputScale: 1 / 255 };

await describeEngine("tfjs-wasm", {
  open: (more) => tfjsWasmEngine({ ...options, ...more })(),
  info: { name: "tfjs-wasm", modelSha256: sha256Of(network.weights) },
  child: ["millrace/tfjs", "tfjsWasmEngine", JSON.stringify(options)],
  tensors: async (engine) => (await engine.memory()).numTensors,
});
