// Classifying images
export { imageClassifier, imageCodec } from "./classifier.ts";
export type { Classification, ImageClassifierOptions, ImageRange } from "./classifier.ts";
export { type Label, labelOf, labels } from "./labels.ts";
// The images
export { loadTestSet, testSetSize, type TestSetOptions } from "./test-set.ts";
export { loadFashionMnist, type DatasetOptions, type LabelledImages } from "./dataset.ts";
export { drawGarments, type DrawOptions } from "./synthetic.ts";
export type { ProgressStream } from "./progress-bar.ts";
export type { Split } from "./files.ts";
export { imagePixels, imageSide } from "./image-shape.ts";
// The committed network
export { cnnArtifacts, readCnnMetadata } from "./artifacts.ts";
export type { FormMetadata, ModelArtifacts, ModelMetadata, PortMetadata, TrainingMetadata } from "./artifacts.ts";
