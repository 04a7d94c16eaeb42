import type { KafkaConfig } from "kafkajs";
import { ConfigError } from "../../core/errors.ts";

/** How topics that are missing are created. */
export interface KafkaTopicOptions {
  /** Minimum 1. */
  readonly partitions: number;
  /** Minimum 1. */
  readonly replicationFactor: number;
}

/** A codec that kafkajs does not bring along, by the name of its compression type. */
export type KafkaCodecName = "snappy" | "lz4" | "zstd";

/** What kafkajs calls a codec: what one of the packages `kafkajs-snappy`, `kafkajs-lz4`, `@kafkajs/zstd` gives. */
export type KafkaCodec = () => {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>;
  decompress(buffer: Buffer): Promise<Buffer>;
};

export interface KafkaOptions {
  /** `host:port` of at least one broker. */
  readonly brokers: readonly string[];
  /** Name in the broker's logs and quotas. @default "millrace" */
  readonly clientId?: string;
  /** `true`, or Node's TLS options (`ca`, `cert`, `key`, …). @default no TLS */
  readonly ssl?: Exclude<KafkaConfig["ssl"], undefined>;
  /** Mechanism `plain`, `scram-sha-256`, `scram-sha-512`, `oauthbearer` or `aws`, and what it needs. @default no authentication */
  readonly sasl?: Exclude<KafkaConfig["sasl"], undefined>;
  /** Creates topics that are missing. @default a missing topic is a `ConfigError` */
  readonly createTopics?: KafkaTopicOptions;
  /** How results are compressed; all but gzip need their codec. @default "none" */
  readonly compression?: "none" | "gzip" | KafkaCodecName;
  /** Codecs for reading and writing, by name. @default none: gzip is built in */
  readonly codecs?: Readonly<Partial<Record<KafkaCodecName, KafkaCodec>>>;
  /** Time without a heartbeat after which the group gives our partitions away, milliseconds. Minimum 100. @default 10_000 */
  readonly sessionTimeoutMs?: number;
  /** Time that a member has to come back in a rebalance, milliseconds. Minimum 100. @default 30_000 */
  readonly rebalanceTimeoutMs?: number;
  /** Time between heartbeats, milliseconds. Below a third of the session's time-out. @default 1_000, or a fifth of `sessionTimeoutMs` when that is less */
  readonly heartbeatIntervalMs?: number;
  /** Longest wait for what is in flight before a rejoin, milliseconds; at most half of `rebalanceTimeoutMs`. 0: none. @default 1_000 */
  readonly rebalanceDrainMs?: number;
  /** How long the broker may hold a fetch, and a resumed partition its rest, milliseconds. Minimum 1. @default 100 */
  readonly maxWaitMs?: number;
  /** Most bytes of one partition in a fetch. Minimum 1. @default 262_144 */
  readonly maxBytesPerPartition?: number;
  /** Time after which a request without an answer has failed, milliseconds. Minimum 100. @default 10_000 */
  readonly requestTimeoutMs?: number;
  /** Longest wait for the brokers when a session opens, milliseconds. Minimum 1. @default 15_000 */
  readonly connectTimeoutMs?: number;
  /** Time after which a record that can't be written is given up, milliseconds; Infinity: never, and the source's credit stops the flow. @default Infinity */
  readonly deliveryTimeoutMs?: number;
  /** Time after which an open transaction is aborted by the broker, milliseconds. Minimum 1_000. @default 15_000 */
  readonly transactionTimeoutMs?: number;
  /** Largest record written: key, value and headers, bytes. The topic's own `max.message.bytes` is kept as well. @default 1_048_000 */
  readonly maxRecordBytes?: number;
}

/** Options without a default. */
type Bare = "ssl" | "sasl" | "createTopics";

/** Every option, with its default. */
export type KafkaSettings = Required<Omit<KafkaOptions, Bare>> & { readonly [name in Bare]: KafkaOptions[name] };

/** Checks options and fills in what is not given. Errors: `ERR_CONFIG`. */
export function kafkaSettings(options: KafkaOptions): KafkaSettings {
  const { sessionTimeoutMs = 10_000, rebalanceTimeoutMs = 30_000 } = options;
  const settings: KafkaSettings = {
    clientId: "millrace",
    compression: "none",
    codecs: {},
    heartbeatIntervalMs: Math.min(1_000, Math.floor(sessionTimeoutMs / 5)),
    rebalanceDrainMs: Math.min(1_000, rebalanceTimeoutMs / 2),
    maxWaitMs: 100,
    maxBytesPerPartition: 256 * 1024,
    requestTimeoutMs: 10_000,
    connectTimeoutMs: 15_000,
    deliveryTimeoutMs: Infinity,
    transactionTimeoutMs: 15_000,
    maxRecordBytes: 1_048_000,
    ...options,
    sessionTimeoutMs,
    rebalanceTimeoutMs,
    ssl: options.ssl,
    sasl: options.sasl,
    createTopics: options.createTopics,
  };
  checkBrokers(settings.brokers);
  for (const [name, minimum] of minimums) checkNumber(name, settings[name], minimum);
  if (settings.createTopics !== undefined) {
    checkNumber("createTopics.partitions", settings.createTopics.partitions, 1);
    checkNumber("createTopics.replicationFactor", settings.createTopics.replicationFactor, 1);
  }
  checkTimes(settings);
  checkCodec(settings);
  return settings;
}

const minimums = [
  ["sessionTimeoutMs", 100],
  ["rebalanceTimeoutMs", 100],
  ["heartbeatIntervalMs", 1],
  ["rebalanceDrainMs", 0],
  ["maxWaitMs", 1],
  ["maxBytesPerPartition", 1],
  ["requestTimeoutMs", 100],
  ["connectTimeoutMs", 1],
  ["deliveryTimeoutMs", 1],
  ["transactionTimeoutMs", 1_000],
  ["maxRecordBytes", 1],
] as const;

function checkBrokers(brokers: readonly string[]): void {
  if (brokers.length === 0) throw new ConfigError('kafka: brokers must name at least one "host:port", got none');
  for (const broker of brokers) {
    if (!/^.+:\d{1,5}$/.test(broker)) throw new ConfigError(`kafka: brokers must be "host:port", got "${broker}"`);
  }
}

function checkNumber(name: string, value: number, minimum: number): void {
  if (value >= minimum) return;
  throw new ConfigError(`kafka: ${name} must be a number of at least ${minimum}, got ${String(value)}`);
}

function checkTimes({
  heartbeatIntervalMs,
  sessionTimeoutMs,
  rebalanceDrainMs,
  rebalanceTimeoutMs,
}: KafkaSettings): void {
  if (heartbeatIntervalMs * 3 > sessionTimeoutMs) {
    throw new ConfigError(
      `kafka: heartbeatIntervalMs must be at most a third of sessionTimeoutMs (${sessionTimeoutMs}), got ${heartbeatIntervalMs}`,
    );
  }
  if (rebalanceDrainMs * 2 > rebalanceTimeoutMs) {
    throw new ConfigError(
      `kafka: rebalanceDrainMs must be at most half of rebalanceTimeoutMs (${rebalanceTimeoutMs}), got ${rebalanceDrainMs}`,
    );
  }
}

function checkCodec({ compression, codecs }: KafkaSettings): void {
  if (compression === "none" || compression === "gzip" || codecs[compression] !== undefined) return;
  throw new ConfigError(`kafka: compression "${compression}" needs a codec: codecs: { ${compression}: … }`);
}
