import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type LabelledImages, loadFashionMnist } from "../../model/dataset.ts";
import { drawGarments } from "../../model/synthetic.ts";

/**
 * The 10,000 test images: from `FASHION_MNIST_DIR`, else from a folder `shared/fashion-mnist` beside the repository;
 * `undefined` on a machine that has neither. In CI they must be there.
 */
export const testImages: LabelledImages | undefined = await findTestImages();

/** 10,000 drawn garments, which every machine has. */
export const drawnImages: LabelledImages = drawGarments({ count: 10_000 });

/** The images that a comparison of two engines uses: the real ones where they are. */
export const anyImages: LabelledImages = testImages ?? drawnImages;

async function findTestImages(): Promise<LabelledImages | undefined> {
  const beside = fileURLToPath(new URL("../../../shared/fashion-mnist", import.meta.url));
  const directory = process.env["FASHION_MNIST_DIR"] || (existsSync(beside) ? beside : undefined);
  if (directory !== undefined) return loadFashionMnist({ split: "test", directory });
  if (process.env["CI"] === "true") throw new Error("CI runs these tests on Fashion-MNIST: set FASHION_MNIST_DIR");
  return undefined;
}
