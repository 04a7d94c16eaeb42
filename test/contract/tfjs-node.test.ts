import { tfjsNodeEngine } from "millrace/tfjs";
import { describeEngine } from "./engine-contract.ts";
import { network, sha256Of } from "./engine-files.ts";

const options = { model: network.layers, inputScale: 1 / 255 };

await describeEngine("tfjs-node", {
  open: (more) => tfjsNodeEngine({ ...options, ...more })(),
  info: { name: "tfjs-node", modelSha256: sha256Of(network.weights) },
  child: ["millrace/tfjs", "tfjsNodeEngine", JSON.stringify(options)],
  tensors: async (engine) => (await engine.memory()).numTensors,
});
