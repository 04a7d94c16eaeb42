import {
  jsonSerde,
  StreamsBuilder,
  type ErrorHandler,
  type Logger,
  type ModelSource,
  type Topology,
  type TopologyModuleOptions,
} from "millrace";
import { imageClassifier, loadTestSet, testSetSize, type Classification } from "millrace/model";
import { predictionLines, predictionSchema, toPrediction } from "./predictions.ts";
import { rangeSerde, sliceRange, type Range } from "./ranges.ts";

export { predictionLines, predictionSchema, toPrediction, type Prediction } from "./predictions.ts";
export { rangeSerde, sliceRange, type Range } from "./ranges.ts";

export interface EmbeddedInferenceOptions extends TopologyModuleOptions {
  /** Topic of the requests. @default "INFERENCE" */
  readonly input?: string;
  /** Topic of the results. @default "PREDICTIONS" */
  readonly output?: string;
  /** Where results go: lines on the console, or records in `output`. @default "topic" */
  readonly sink?: "console" | "topic";
  /** What executes the network. @default "auto" */
  readonly engine?: "auto" | "onnx" | "tfjs-node" | "tfjs-wasm";
  /** Most images in a batch. Minimum 1. @default 256 */
  readonly maxSize?: number;
  /** Most images in one result; a longer range gives several. Minimum 1. @default 1_000 */
  readonly sliceSize?: number;
  /** Another model than the committed network on the Fashion-MNIST test set. */
  readonly classifier?: ModelSource<Range, Classification>;
  /** Writes console output. @default console.log */
  readonly write?: (line: string) => PromiseLike<void> | void;
  readonly logger?: Logger;
}

/** A request that can't be answered is dead-lettered with its reason; an engine that crashed is asked again. */
const onError: ErrorHandler = (error) => (error.retryable ? "RETRY" : "DEAD_LETTER");

/**
 * Classifies ranges of the Fashion-MNIST test set: source → decode → batch → infer → sink.
 *
 * Results keep the order of requests with the same key; requests without a key wait for nobody.
 */
export function embeddedInference(options: EmbeddedInferenceOptions = {}): Topology {
  const { input = "INFERENCE", output = "PREDICTIONS", maxSize = 256, sliceSize = 1_000 } = options;
  const builder = new StreamsBuilder();
  const predictions = builder
    .stream(input, { name: "source", value: rangeSerde(testSetSize), onError })
    .flatMapValues((range) => sliceRange(range, sliceSize), { name: "decode" })
    .batch({ maxSize })
    .infer(options.classifier ?? testSetClassifier(options), toPrediction, { name: "infer", ordered: "key", onError });
  if (options.sink === "console") {
    const { write } = options;
    predictions.print({
      name: "sink",
      format: ({ value }) => predictionLines(value, Date.now()),
      ...(write !== undefined && { write }),
    });
  } else predictions.to(output, { name: "sink", value: jsonSerde(predictionSchema) });
  return builder.build();
}

/** The committed network on the test set, loaded when the app starts; drawn garments stand in when the data set can't be had. */
function testSetClassifier({ engine = "auto", logger }: EmbeddedInferenceOptions): ModelSource<Range, Classification> {
  return async () => {
    const { images } = await loadTestSet({
      allowSynthetic: true,
      ...(logger !== undefined && { warn: (message: string): void => logger.warn({}, message) }),
    });
    return imageClassifier({ images, engine, ...(logger !== undefined && { logger }) })();
  };
}

/** What `millrace run` takes where its flags say nothing: the names that the system had which this replaces. */
export const runDefaults: {
  readonly applicationId: string;
  readonly groupId: string;
  readonly pubsubTopics: Readonly<Record<string, string>>;
} = {
  applicationId: "embedded-inference",
  groupId: "consumer-group-1",
  pubsubTopics: { INFERENCE: "MODEL-INFERENCE", PREDICTIONS: "MODEL-PREDICTIONS" },
};

// oxlint-disable-next-line import/no-default-export -- the command line runs a module's default export
export default embeddedInference;
