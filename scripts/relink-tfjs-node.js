// npm removes the link to a hand-built tfjs-node; where one was built (scripts/build-tfjs-node.sh), it is put back before the tests.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

const cache = process.env.MILLRACE_TFJS_NODE_DIR ?? ".cache/tfjs-node";
if (existsSync(`${cache}/node_modules/@tensorflow/tfjs-node`)) {
  spawnSync("bash", ["scripts/build-tfjs-node.sh"], { stdio: "inherit" });
}
