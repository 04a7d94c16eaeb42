import { messageOf } from "../core/errors.ts";
import { Problem } from "./problems.ts";

/** Largest picture, pixels: what a small file unpacks to is bounded before it is unpacked. */
const maxPixels = 25_000_000;

/** First bytes of the files that are taken. By their names sharp would read more: SVG, which may refer to other files, among them. */
const signatures = [Buffer.from("\u0089PNG\r\n\u001a\n", "latin1"), Buffer.of(0xff, 0xd8, 0xff)];

/**
 * An uploaded picture as the network wants it: `side * side` grey values, row by row, 0 = background.
 *
 * Scaled to fit, its edges continued with the colour of its background; inverted when that is light, since the data set is bright on black. What is
 * transparent counts as white. Errors: a `Problem` (415 when it is no picture, 501 without `sharp`).
 */
export async function readPicture(file: Uint8Array, side: number): Promise<Uint8Array> {
  if (!signatures.some((signature) => signature.equals(file.subarray(0, signature.length)))) {
    throw new Problem(415, "Not a picture that can be read", "expected the bytes of a PNG or JPEG file");
  }
  const sharp = await loadSharp();
  try {
    const { data, info } = await sharp(file, { limitInputPixels: maxPixels, failOn: "error" })
      .autoOrient()
      .flatten({ background: "white" })
      .resize(side, side, { fit: "inside" })
      .toColourspace("b-w")
      .raw()
      .toBuffer({ resolveWithObject: true });
    return onBlack({ data, ...info }, side);
  } catch (cause) {
    throw new Problem(415, "Not a picture that can be read", `expected PNG or JPEG: ${messageOf(cause)}`);
  }
}

/** Grey values, `width * height`. */
interface Grey {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** Puts it in the middle of a square of its background's colour, and inverts that when it is light. */
function onBlack(image: Grey, side: number): Uint8Array {
  const { data, width, height } = image;
  const background = median(border(image));
  const square = new Uint8Array(side * side).fill(background);
  const [left, top] = [Math.floor((side - width) / 2), Math.floor((side - height) / 2)];
  for (let row = 0; row < height; row += 1) {
    square.set(data.subarray(row * width, (row + 1) * width), (top + row) * side + left);
  }
  return background < 128 ? square : square.map((value) => 255 - value);
}

type Sharp = (typeof import("sharp"))["default"];

async function loadSharp(): Promise<Sharp> {
  try {
    return (await import("sharp")).default;
  } catch {
    throw new Problem(501, "Pictures can't be read here", "the optional package sharp is not installed");
  }
}

/** Grey values along the four edges. */
function border({ data, width, height }: Grey): number[] {
  const at = (x: number, y: number): number => data[y * width + x] ?? 0;
  const rows = Array.from({ length: width }, (_, x) => [at(x, 0), at(x, height - 1)]);
  const columns = Array.from({ length: height }, (_, y) => [at(0, y), at(width - 1, y)]);
  return [...rows, ...columns].flat();
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
