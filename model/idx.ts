import { ConfigError } from "millrace";

/** What an IDX file holds: an array of unsigned bytes, row-major. `data.length` is the product of `shape`. */
export interface IdxArray {
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

const unsignedByte = 0x08;

/**
 * Reads an IDX file of unsigned bytes, such as the images `[n, 28, 28]` and the labels `[n]` of Fashion-MNIST.
 *
 * `bytes` is the file's content, already decompressed; `data` of the result is a view into it. `shape` is what the
 * caller expects; -1 stands for any size. `name` is used in messages only.
 *
 * Errors: `ERR_CONFIG` when the magic number is not that of an array of unsigned bytes with `shape.length` dimensions,
 * when a size is not the expected one, or when the file is shorter or longer than its header says.
 * Source: the format's description on Yann LeCun's page of MNIST (big-endian header: two zero bytes, type, dimensions,
 * sizes).
 */
export function readIdx(bytes: Uint8Array, shape: readonly number[], name: string): IdxArray {
  const headerBytes = 4 + 4 * shape.length;
  if (bytes.length < 4)
    throw new ConfigError(`${name}: truncated: expected a magic number of 4 bytes, got ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = view.getUint32(0);
  const expectedMagic = (unsignedByte << 8) | shape.length;
  if (magic !== expectedMagic)
    throw new ConfigError(`${name}: wrong magic number: expected ${hex(expectedMagic)}, got ${hex(magic)}`);
  if (bytes.length < headerBytes)
    throw new ConfigError(`${name}: truncated: expected a header of ${headerBytes} bytes, got ${bytes.length} bytes`);

  const found = shape.map((_, dimension) => view.getUint32(4 + 4 * dimension));
  if (found.some((size, dimension) => shape[dimension] !== -1 && shape[dimension] !== size)) {
    throw new ConfigError(`${name}: wrong count: expected [${shape.join(", ")}], got [${found.join(", ")}]`);
  }
  const length = found.reduce((product, size) => product * size, 1);
  const data = bytes.subarray(headerBytes);
  if (data.length !== length) {
    const reason = data.length < length ? "truncated" : "too long";
    throw new ConfigError(`${name}: ${reason}: expected ${length} bytes after the header, got ${data.length}`);
  }
  return { shape: found, data };
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, "0")}`;
}
