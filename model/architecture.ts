import type { LayersModel } from "@tensorflow/tfjs-layers";
import { classCount, imageSide } from "./image-shape.ts";
import type { TensorFlow } from "./tensorflow.ts";

/**
 * Builds the network `cnn` with random weights: Conv2D 32 3×3 relu → MaxPool 2 → Flatten → Dense 100 relu → Dense 10
 * softmax.
 *
 * Input: `[n, 28, 28, 1]` float32 in 0..1 (pixel / 255). Output: `[n, 10]` float32, probabilities that sum to 1.
 * 542,230 parameters. The same `seed` gives the same weights.
 * Source: the network of the system that this one replaces; Glorot uniform kernels and zero biases are the defaults of
 * Keras.
 */
export function buildCnn(tf: TensorFlow, seed: number): LayersModel {
  const kernelInitializer = (offset: number): ReturnType<TensorFlow["initializers"]["glorotUniform"]> =>
    tf.initializers.glorotUniform({ seed: seed + offset });
  return tf.sequential({
    name: "cnn",
    layers: [
      tf.layers.conv2d({
        name: "conv",
        inputShape: [imageSide, imageSide, 1],
        filters: 32,
        kernelSize: 3,
        activation: "relu",
        kernelInitializer: kernelInitializer(0),
      }),
      tf.layers.maxPooling2d({ name: "pool", poolSize: 2 }),
      tf.layers.flatten({ name: "flatten" }),
      tf.layers.dense({ name: "hidden", units: 100, activation: "relu", kernelInitializer: kernelInitializer(1) }),
      tf.layers.dense({
        name: "scores",
        units: classCount,
        activation: "softmax",
        kernelInitializer: kernelInitializer(2),
      }),
    ],
  });
}
