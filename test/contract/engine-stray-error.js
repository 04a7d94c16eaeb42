// Preloaded with `node --import`, which Node does in worker threads too: the first worker that starts dies of an error
// that nobody catches, when its third run arrives.
import { isMainThread, parentPort, threadId } from "node:worker_threads";

let messages = 0;
if (!isMainThread && threadId === 1) {
  parentPort.on("message", () => {
    messages += 1;
    if (messages === 3) throw new Error("a stray error");
  });
}
