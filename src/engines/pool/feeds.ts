import type { NamedTensors, Tensor, TensorData, TensorInfo, TensorType } from "../../core/engine.ts";
import { InferenceError } from "../../core/errors.ts";

/** Tensors on their way to a worker, and the buffers that go with them. */
export interface Cargo {
  readonly feeds: NamedTensors;
  readonly transfer: readonly ArrayBuffer[];
}

const arrayNames: Readonly<Record<TensorType, string>> = {
  uint8: "Uint8Array",
  float32: "Float32Array",
  int32: "Int32Array",
  int64: "BigInt64Array",
};

/**
 * Checks names, types and shapes against what the model declares, so that a mistake is found on the caller's side of
 * the thread.
 *
 * Errors: `ERR_INFERENCE`, with the shape that was given.
 */
export function checkFeeds(feeds: NamedTensors, inputs: readonly TensorInfo[]): void {
  for (const [name, tensor] of Object.entries(feeds)) {
    const input = inputs.find((candidate) => candidate.name === name);
    if (input === undefined) {
      throw wrong(tensor, `the model has no input "${name}": it takes ${inputs.map(describe).join(", ")}`);
    }
    checkTensor(tensor, input);
  }
  const missing = inputs.find((input) => !Object.hasOwn(feeds, input.name));
  if (missing !== undefined) throw new InferenceError(`input ${describe(missing)} is missing`);
}

/**
 * Prepares the feeds to leave this thread. Their buffers move; nothing is copied, except a view of a part of a buffer
 * (or of shared memory): the rest may be in use elsewhere (a slice of a data set, Node's pool of small buffers), so the
 * view's bytes are copied.
 */
export function load(feeds: NamedTensors): Cargo {
  const transfer = new Set<ArrayBuffer>();
  const loaded: Record<string, Tensor> = {};
  for (const [name, { type, shape, data }] of Object.entries(feeds)) {
    const whole = data.buffer instanceof ArrayBuffer && data.byteLength === data.buffer.byteLength;
    const own = whole ? data : copyOf(data);
    if (own.buffer instanceof ArrayBuffer) transfer.add(own.buffer);
    loaded[name] = { type, shape: [...shape], data: own };
  }
  return { feeds: loaded, transfer: [...transfer] };
}

/** Takes the buffers away from the caller at once, for feeds that have to wait for a worker. */
export function detach(cargo: Cargo): Cargo {
  return load(structuredClone(cargo.feeds, { transfer: [...cargo.transfer] }));
}

function copyOf(data: TensorData): TensorData {
  // Not `slice` for bytes: that of a Buffer is a view.
  return data instanceof Uint8Array ? new Uint8Array(data) : data.slice();
}

function checkTensor(tensor: Tensor, input: TensorInfo): void {
  const { type, shape, data } = tensor;
  if (type !== input.type) throw wrong(tensor, `input ${describe(input)} was given as ${type}`);
  if (data[Symbol.toStringTag] !== arrayNames[type]) {
    throw wrong(tensor, `input ${describe(input)} needs a ${arrayNames[type]}, got a ${data[Symbol.toStringTag]}`);
  }
  const fits =
    shape.length === input.shape.length &&
    shape.every((size, axis) => Number.isSafeInteger(size) && size >= 1 && fitsInto(size, input.shape[axis]));
  if (!fits) throw wrong(tensor, `input ${describe(input)} was given the shape [${shape.join(", ")}]`);
  const length = shape.reduce((product, size) => product * size, 1);
  if (data.length !== length) {
    const hint = data.buffer.byteLength === 0 ? " (its buffer is detached: was it used in another run?)" : "";
    throw wrong(
      tensor,
      `input "${input.name}": [${shape.join(", ")}] is ${length} elements, got ${data.length}${hint}`,
    );
  }
}

function fitsInto(size: number, declared: number | undefined): boolean {
  return declared === -1 || declared === size;
}

function describe(info: TensorInfo): string {
  return `"${info.name}" ${info.type} [${info.shape.join(", ")}]`;
}

function wrong(tensor: Tensor, message: string): InferenceError {
  return new InferenceError(message, { shape: tensor.shape });
}
