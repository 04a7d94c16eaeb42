import { messageOf } from "millrace";
import { type DatasetOptions, type LabelledImages, loadFashionMnist, namedDirectory } from "./dataset.ts";
import { drawGarments } from "./synthetic.ts";

/** Where the test images are, and what to do when they are nowhere. */
export interface TestSetOptions extends Omit<DatasetOptions, "split"> {
  /**
   * Whether drawn garments may stand in for the data set, when it is neither on this machine nor to be had from the
   * web. @default false
   */
  readonly allowSynthetic?: boolean;
  /** Told in one line when they do. @default `process.emitWarning` */
  readonly warn?: (message: string) => void;
}

/** Number of images in the test set, real or drawn. */
export const testSetSize = 10_000;

/**
 * Loads the 10,000 test images of Fashion-MNIST (see `loadFashionMnist` for where from), or, if that is allowed and
 * they can't be had, 10,000 drawn ones; `source` of the result says which.
 *
 * Errors: `ERR_CONFIG` as `loadFashionMnist`. A folder that the caller or `FASHION_MNIST_DIR` names must have the
 * files: nothing is drawn in their place.
 */
export async function loadTestSet(options: TestSetOptions = {}): Promise<LabelledImages> {
  const { allowSynthetic = false, warn = (message: string) => process.emitWarning(message), ...where } = options;
  try {
    return await loadFashionMnist({ ...where, split: "test" });
  } catch (cause) {
    if (!allowSynthetic || namedDirectory(where) !== undefined) throw cause;
    warn(
      `SYNTHETIC IMAGES: Fashion-MNIST is not here (${messageOf(cause)}); ${testSetSize} drawn garments stand in for it.`,
    );
    return drawGarments({ count: testSetSize });
  }
}
