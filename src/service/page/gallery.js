import { getBytes } from "./requests.js";

const { names, side, images } = document.body.dataset;

/** Names of the classes; empty when the service has no pictures. */
export const classes = JSON.parse(names);

/** Pixels in a row and in a column. */
const pictureSide = Number(side) || 28;

/** Pictures that are fetched together. */
const block = 100;

/** Blocks of pictures by the number of their first; each is fetched once. */
const blocks = new Map();

let truth;

/** The true class of every image, a byte each; fetched once. */
export async function fetchTruth() {
  truth ??= classes.length === 0 ? new Uint8Array() : await getBytes("page/truth");
  return truth;
}

/** Draws an image of the set, once it is there. */
export async function drawImage(canvas, image) {
  const first = image - (image % block);
  if (!blocks.has(first)) blocks.set(first, fetchBlock(first));
  const bytes = await blocks.get(first);
  const size = 1 + pictureSide ** 2;
  const at = (image - first) * size;
  if (bytes !== undefined) drawPixels(canvas, bytes.subarray(at + 1, at + size));
}

/** Draws grey values, row by row, 0 = black. */
export function drawPixels(canvas, pixels) {
  const picture = new ImageData(pictureSide, pictureSide);
  for (const [index, grey] of pixels.entries()) picture.data.set([grey, grey, grey, 255], 4 * index);
  canvas.width = pictureSide;
  canvas.height = pictureSide;
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

async function fetchBlock(first) {
  const end = Math.min(first + block, Number(images));
  try {
    return await getBytes(`images?start_idx=${first}&end_idx=${end}`);
  } catch {
    blocks.delete(first); // the next one who wants it asks again
    return undefined;
  }
}
