import { messageOf } from "../core/errors.ts";
import { Problem } from "./problems.ts";

/** Largest picture, pixels: what a small file unpacks to is bounded before it is unpacked. */
const maxPixels = 25_000_000;

/**
 * An uploaded picture as the network wants it: `side * side` grey values, row by row, 0 = background.
 *
 * Scaled to fit, its edges continued with the colour of its background; inverted when that is light, since the data set is bright on black. Errors: a
 * `Problem` (415 when it is no picture, 501 without `sharp`).
 */
export async function readPicture(file: Uint8Array, side: number): Promise<Uint8Array> {
  const sharp = await loadSharp();
  try {
    const image = sharp(file, { limitInputPixels: maxPixels, failOn: "error" })
      .autoOrient()
      .flatten({ background: "white" })
      .greyscale();
    const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
    const background = median(border(data, info.width, info.height, info.channels));
    const pixels = await image
      .resize(side, side, { fit: "contain", background: { r: background, g: background, b: background } })
      .greyscale()
      .raw()
      .toBuffer();
    return background < 128 ? Uint8Array.from(pixels) : Uint8Array.from(pixels, (value) => 255 - value);
  } catch (cause) {
    throw new Problem(415, "Not a picture that can be read", `expected PNG or JPEG: ${messageOf(cause)}`);
  }
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
function border(data: Uint8Array, width: number, height: number, channels: number): number[] {
  const at = (x: number, y: number): number => data[(y * width + x) * channels] ?? 0;
  const rows = Array.from({ length: width }, (_, x) => [at(x, 0), at(x, height - 1)]);
  const columns = Array.from({ length: height }, (_, y) => [at(0, y), at(width - 1, y)]);
  return [...rows, ...columns].flat();
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
