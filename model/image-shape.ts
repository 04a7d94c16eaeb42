/** Height and width of an image, pixels. */
export const imageSide = 28;

/** Pixels of an image: 28 rows of 28, one byte each, 0 = background. */
export const imagePixels: number = imageSide * imageSide;

/** Number of classes, see `labels.ts`. */
export const classCount = 10;
