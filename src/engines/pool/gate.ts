const open = 0;
const inside = 1;
const shut = 2;

/**
 * One word of shared memory that says whether a worker is inside native code.
 *
 * Node stops the workers when the process ends. A worker that is stopped while ONNX Runtime runs aborts the whole
 * process (SIGABRT, exit code 134), so whoever ends the process shuts the gate first: that waits for the run inside and
 * lets no other one begin. It must work from an `exit` listener, where no promise settles any more and no message
 * arrives: hence shared memory.
 */
export class Gate {
  readonly shared: SharedArrayBuffer;
  readonly #word: Int32Array;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)) {
    this.shared = shared;
    this.#word = new Int32Array(shared);
  }

  /** For the worker: call before native code. False when the process is ending: then begin nothing. */
  enter(): boolean {
    return Atomics.compareExchange(this.#word, 0, open, inside) === open;
  }

  /** For the worker: call after native code. */
  leave(): void {
    Atomics.store(this.#word, 0, open);
    Atomics.notify(this.#word, 0);
  }

  /**
   * For the parent: blocks until the worker is outside and can't enter again. False when `deadline`
   * (`performance.now()`) passed first.
   */
  shut(deadline: number): boolean {
    while (Atomics.compareExchange(this.#word, 0, open, shut) === inside) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) return false;
      Atomics.wait(this.#word, 0, inside, leftMs);
    }
    return true;
  }
}
