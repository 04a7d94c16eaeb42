import type { Logger } from "../core/logger.ts";
import type { Gallery } from "../service/index.ts";

/** The test set as the page shows it: drawn garments where Fashion-MNIST can't be had, and one line that says so. */
export async function loadTestGallery(logger: Logger): Promise<Gallery> {
  const { imageSide, labels: names, loadTestSet } = await import("millrace/model");
  const { images, labels } = await loadTestSet({ allowSynthetic: true, warn: (message) => logger.warn({}, message) });
  return { images, labels, names, side: imageSide };
}
