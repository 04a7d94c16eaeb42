// A worker of the pool without a native library. Its model takes `task`, int32 [2]: what to do, and for how long in
// milliseconds. The options are plain values and a shared counter of starts, so that a test can say which start goes
// wrong.
import { threadId } from "node:worker_threads";
import { serve } from "../../../../dist/src/engines/pool/serve.js";
import { PackageError } from "../../../../dist/src/engines/pool/native-package.js";

const answer = 0;
const fail = 1;
const crash = 2;
const leave = 3;

await serve(async ({ starts, refuse = [], missing = false, changed = [] }) => {
  const start = Atomics.add(new Int32Array(starts), 0, 1);
  if (missing)
    throw new PackageError(
      "some-engine",
      Object.assign(new Error("Cannot find package 'some-engine'"), { code: "ERR_MODULE_NOT_FOUND" }),
    );
  if (refuse.includes(start)) throw new Error(`start ${start} is refused`);
  let runs = 0;
  return {
    report: {
      version: "1.2.3",
      modelSha256: changed.includes(start) ? "changed" : "same",
      inputs: [{ name: "task", type: "int32", shape: [2] }],
      outputs: [{ name: "result", type: "int32", shape: [2] }],
    },
    run({ task }) {
      const [action, ms] = task.data;
      // Blocks, as native code does.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
      runs += 1;
      if (action === answer) return { result: { type: "int32", shape: [2], data: Int32Array.of(threadId, runs) } };
      if (action === fail) throw new RangeError("the model says no");
      if (action === crash)
        setTimeout(() => {
          throw new Error("a crash");
        });
      if (action === leave) process.exit(0);
      return new Promise(() => {});
    },
    stats: () => ({ runs }),
    release() {},
  };
});
