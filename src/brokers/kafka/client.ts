import { createRequire } from "node:module";
import type { CompressionTypes, ConfigResourceTypes, Kafka, ProducerConfig, RetryOptions } from "kafkajs";
import { silentLogger } from "../../core/logger.ts";
import type { Logger } from "../../core/logger.ts";
import { applyKafkajsFixes } from "./kafkajs-fixes.ts";
import { kafkajsLog } from "./kafkajs-log.ts";
import type { KafkaCodecName, KafkaSettings } from "./options.ts";

/** What a client is for: each is patient in its own way. */
export type KafkaUse = "consumer" | "producer" | "transactions" | "admin";

/**
 * Every field of each: what is absent kafkajs takes from `NODE_ENV`. kafkajs hands the client's to all that is made from it.
 *
 * Source: measured on Kafka 4.1: back-to-back transactions p99 24 ms with short waits, 578 ms with the defaults of kafkajs.
 */
const retries: Readonly<Record<KafkaUse, RetryOptions>> = {
  consumer: { initialRetryTime: 100, maxRetryTime: 1_000, multiplier: 2, factor: 0.2, retries: 5 },
  producer: { initialRetryTime: 50, maxRetryTime: 1_000, multiplier: 2, factor: 0.2, retries: 40 },
  transactions: { initialRetryTime: 2, maxRetryTime: 50, multiplier: 1.5, factor: 0.2, retries: 1_000 },
  admin: { initialRetryTime: 50, maxRetryTime: 500, multiplier: 2, factor: 0.2, retries: 4 },
};

/** A consumer's own: `Membership` restarts it. */
export const consumerRetry: RetryOptions & { readonly restartOnFailure: () => Promise<boolean> } = {
  ...retries.consumer,
  restartOnFailure: () => Promise.resolve(false),
};

/** Every producer's: one write in flight, and to the partition that each record names. */
export const strictProducer: ProducerConfig = {
  idempotent: true,
  maxInFlightRequests: 1,
  allowAutoTopicCreation: false,
  // kafkajs would choose again at each retry.
  createPartitioner:
    () =>
    ({ message }) =>
      message.partition ?? 0,
};

const CONNECTION_TIMEOUT_MS = 3_000;

/** What kafkajs calls them. */
const compressions = { none: "None", gzip: "GZIP", snappy: "Snappy", lz4: "LZ4", zstd: "ZSTD" } as const;

const require = createRequire(import.meta.url);

/** A client of kafkajs, mended, that logs to `logger`. */
export function kafkaClient(settings: KafkaSettings, logger: Logger, use: KafkaUse): Kafka {
  const kafkajs = loadKafkajs(logger);
  registerCodecs(kafkajs, settings);
  return new kafkajs.Kafka({
    clientId: settings.clientId,
    brokers: [...settings.brokers],
    ...(settings.ssl !== undefined && { ssl: settings.ssl }),
    ...(settings.sasl !== undefined && { sasl: settings.sasl }),
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    authenticationTimeout: settings.requestTimeoutMs,
    requestTimeout: settings.requestTimeoutMs,
    enforceRequestTimeout: true,
    retry: retries[use],
    logLevel: kafkajs.logLevel.INFO,
    logCreator: kafkajsLog(logger),
  });
}

/** The compression that a producer of these settings asks for. */
export function compressionType({ compression }: KafkaSettings, logger: Logger = silentLogger): CompressionTypes {
  return loadKafkajs(logger).CompressionTypes[compressions[compression]];
}

/** What kafkajs calls a topic where it describes configurations. */
export function topicResource(logger: Logger): ConfigResourceTypes {
  return loadKafkajs(logger).ConfigResourceTypes.TOPIC;
}

/** kafkajs, mended before its first module is loaded: which an `import` at the head of a file could not promise. */
function loadKafkajs(logger: Logger): typeof import("kafkajs") {
  applyKafkajsFixes(logger);
  // Its own types describe what kafkajs exports.
  return require("kafkajs") as typeof import("kafkajs");
}

/** Codecs that some broker of this process brought along: kafkajs has one registry for all. */
const registered = new Set<KafkaCodecName>();

function registerCodecs(
  { CompressionCodecs, CompressionTypes, KafkaJSNotImplemented }: typeof import("kafkajs"),
  { codecs }: KafkaSettings,
): void {
  // kafkajs types neither what it knows of each codec, which is nothing, nor the message of this error.
  const NotImplemented = KafkaJSNotImplemented as new (message: string) => Error;
  const registry = CompressionCodecs as Record<number, () => unknown>;
  for (const name of ["snappy", "lz4", "zstd"] as const) {
    const codec = codecs[name];
    const type = CompressionTypes[compressions[name]];
    if (codec !== undefined) {
      registered.add(name);
      registry[type] = codec;
    } else if (!registered.has(name)) {
      registry[type] = () => {
        throw new NotImplemented(`records are compressed with ${name}, which needs a codec: codecs: { ${name}: … }`);
      };
    }
  }
}
