import { ConfigError } from "../../core/errors.ts";
import { parseFilter, type AttributeFilter } from "./filter.ts";

export interface PubSubOptions {
  /** The Google Cloud project. @default with an emulator "millrace"; otherwise the project of the credentials */
  readonly projectId?: string;
  /** `host:port` of an emulator; no credentials are used then. @default the variable PUBSUB_EMULATOR_HOST, else the real service */
  readonly emulatorHost?: string;
  /** Name of the topic at Pub/Sub, by the name that a topology uses. @default the same name */
  readonly topics?: Readonly<Record<string, string>>;
  /** Name of the subscription, by the topic's name in the topology. @default `<topic at Pub/Sub>-<groupId>` */
  readonly subscriptions?: Readonly<Record<string, string>>;
  /**
   * Creates topics that are missing when a session opens, and subscriptions when it begins to read; a subscription gets what is published after that.
   *
   * @default false: what is missing is a `ConfigError`
   */
  readonly createTopics?: boolean;
  /**
   * Subscriptions that are created deliver exactly once: Pub/Sub confirms each ack, and `committed` tells of confirmed ones only. Without it an ack
   * counts as committed when it is handed to the client, which sends it within 5 ms.
   *
   * @default false
   */
  readonly exactlyOnceDelivery?: boolean;
  /** Keys become ordering keys: records of a key come in the order of writing. @default true */
  readonly ordering?: boolean;
  /**
   * Most records of one ordering key that are out at a time. Minimum 1. With 1 nothing of a key is ever handed out before what was given back; with
   * more, what is out already may be done before it.
   *
   * @default Infinity: `maxInFlight` alone counts, as for a partition
   */
  readonly maxInFlightPerKey?: number;
  /** A filter in Pub/Sub's own language, for subscriptions that are created; the driver applies it as well. @default none */
  readonly filter?: string;
  /** Largest record written: data, ordering key and attributes, bytes. Minimum 1, maximum 10_000_000. @default 10_000_000, Pub/Sub's own */
  readonly maxRecordBytes?: number;
  /** How long the lease of a record is extended while it is worked on, milliseconds. Minimum 0. @default 3_600_000 */
  readonly maxExtensionMs?: number;
  /** Most bytes of records read ahead and in flight, for each topic. Minimum 1. @default 100 MiB */
  readonly maxInFlightBytes?: number;
  /** Most bytes of records on their way to the service; what is published beyond waits. Minimum 1. @default 64 MiB */
  readonly maxOutstandingBytes?: number;
  /** Time after which a record that can't be written is given up, milliseconds. Minimum 1. @default Infinity: the source's credit stops the flow */
  readonly deliveryTimeoutMs?: number;
  /** Longest wait for the service when a session opens, milliseconds. Minimum 1. @default 15_000 */
  readonly connectTimeoutMs?: number;
  /** Wait before a record that was given back is handed out again, milliseconds; it doubles each time. Minimum 1. @default 100 */
  readonly minBackoffMs?: number;
  /** Longest such wait, milliseconds. At least `minBackoffMs`. @default 10_000 */
  readonly maxBackoffMs?: number;
}

/** Every option, with its default. */
export interface PubSubSettings {
  readonly projectId: string | undefined;
  readonly emulatorHost: string | undefined;
  readonly topics: Readonly<Record<string, string>>;
  readonly subscriptions: Readonly<Record<string, string>>;
  readonly createTopics: boolean;
  readonly exactlyOnceDelivery: boolean;
  readonly ordering: boolean;
  readonly maxInFlightPerKey: number;
  readonly filter: AttributeFilter | undefined;
  readonly maxRecordBytes: number;
  readonly maxExtensionMs: number;
  readonly maxInFlightBytes: number;
  readonly maxOutstandingBytes: number;
  readonly deliveryTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
}

/** Pub/Sub's limit for a message, bytes. Source: cloud.google.com/pubsub/quotas, resource limits. */
const maxMessageBytes = 10_000_000;

/** Checks options and fills in what is not given. Errors: `ERR_CONFIG`. */
export function pubsubSettings(options: PubSubOptions): PubSubSettings {
  const settings: PubSubSettings = {
    topics: {},
    subscriptions: {},
    createTopics: false,
    exactlyOnceDelivery: false,
    ordering: true,
    maxInFlightPerKey: Infinity,
    maxRecordBytes: maxMessageBytes,
    maxExtensionMs: 3_600_000,
    maxInFlightBytes: 100 * 1024 * 1024,
    maxOutstandingBytes: 64 * 1024 * 1024,
    deliveryTimeoutMs: Infinity,
    connectTimeoutMs: 15_000,
    minBackoffMs: 100,
    maxBackoffMs: Math.max(10_000, options.minBackoffMs ?? 0),
    ...options,
    projectId: options.projectId,
    emulatorHost: options.emulatorHost,
    filter: options.filter === undefined ? undefined : parseFilter(options.filter),
  };
  for (const [name, minimum, maximum] of ranges) checkNumber(name, settings[name], minimum, maximum);
  checkNumber("maxBackoffMs", settings.maxBackoffMs, settings.minBackoffMs, maxTimerMs);
  for (const name of ["createTopics", "exactlyOnceDelivery", "ordering"] as const) checkBoolean(name, settings[name]);
  for (const [option, names] of [
    ["topics", settings.topics],
    ["subscriptions", settings.subscriptions],
  ] as const) {
    for (const [topic, name] of Object.entries(names)) checkName(`${option}[${JSON.stringify(topic)}]`, name);
  }
  return settings;
}

/** What a topology calls a topic, in Pub/Sub's words. */
export function topicName({ topics }: PubSubSettings, topic: string): string {
  return topics[topic] ?? topic;
}

/** The subscription through which a group reads a topic. */
export function subscriptionName(settings: PubSubSettings, topic: string, groupId: string): string {
  return settings.subscriptions[topic] ?? `${topicName(settings, topic)}-${groupId}`;
}

/** Pub/Sub's rule for the names of topics and subscriptions. */
export function isName(name: string): boolean {
  return /^(projects\/[^/]+\/(topics|subscriptions)\/)?(?!goog)[A-Za-z][\w.~+%-]{2,254}$/.test(name);
}

/** Longest time that a timer of Node can wait, milliseconds. */
const maxTimerMs = 2 ** 31 - 1;

const ranges = [
  ["maxInFlightPerKey", 1, Infinity],
  ["maxRecordBytes", 1, maxMessageBytes],
  ["maxExtensionMs", 0, Number.MAX_SAFE_INTEGER],
  ["maxInFlightBytes", 1, Number.MAX_SAFE_INTEGER],
  ["maxOutstandingBytes", 1, Number.MAX_SAFE_INTEGER],
  ["deliveryTimeoutMs", 1, Infinity],
  ["connectTimeoutMs", 1, maxTimerMs],
  ["minBackoffMs", 1, maxTimerMs],
] as const;

function checkNumber(name: string, value: number, minimum: number, maximum: number): void {
  const whole = Number.isSafeInteger(value) || value === Infinity;
  if (whole && value >= minimum && value <= maximum) return;
  throw new ConfigError(`pubsub: ${name} must be a whole number from ${minimum} to ${maximum}, got ${String(value)}`);
}

function checkBoolean(name: string, value: unknown): void {
  if (typeof value !== "boolean") throw new ConfigError(`pubsub: ${name} must be true or false, got ${String(value)}`);
}

function checkName(what: string, name: string): void {
  if (!isName(name)) throw new ConfigError(`pubsub: ${what} is no name for Pub/Sub: ${JSON.stringify(name)}`);
}
