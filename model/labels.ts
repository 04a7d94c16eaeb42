/**
 * The ten classes of Fashion-MNIST: a class index 0..9 is a position in this list.
 *
 * Source: Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747, table 2 (order), and the data set's README (names).
 */
export const labels = [
  "T-shirt/top",
  "Trouser",
  "Pullover",
  "Dress",
  "Coat",
  "Sandal",
  "Shirt",
  "Sneaker",
  "Bag",
  "Ankle boot",
] as const;

/** The name of one class. */
export type Label = (typeof labels)[number];

/**
 * The name of a class index.
 *
 * Errors: `RangeError` when `classIndex` is not an integer 0..9.
 */
export function labelOf(classIndex: number): Label {
  const label = labels[classIndex];
  if (label === undefined) throw new RangeError(`class index: expected an integer 0..9, got ${classIndex}`);
  return label;
}
