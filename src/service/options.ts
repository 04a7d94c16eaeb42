import type { Broker } from "../core/broker.ts";
import { ConfigError } from "../core/errors.ts";
import type { StreamsApp } from "../runtime/streams-app.ts";

/** The pictures that ranges refer to. */
export interface Gallery {
  /** Grey values, row by row, 0 = background: `side * side` bytes each. Not copied. */
  readonly images: Uint8Array;
  /** The true class of each image, an index into `names`. */
  readonly labels: Uint8Array;
  /** Names of the classes, as results give them. */
  readonly names: readonly string[];
  /** Pixels in a row and in a column. */
  readonly side: number;
}

/** Names of the topics that the trigger writes and reads; a driver may map them. */
export interface TriggerTopics {
  /** Requests. @default "INFERENCE" */
  readonly input?: string;
  /** Results. @default "PREDICTIONS" */
  readonly output?: string;
  /** Dead letters. @default "embedded-inference.dlq" */
  readonly deadLetters?: string;
}

export interface TriggerOptions {
  /** Where runs may go, by the name that requests use: `{ kafka: kafkaBroker(…) }`. The first is the one that is taken when a request names none. */
  readonly sessions: Readonly<Record<string, Broker>>;
  readonly topics?: TriggerTopics;
  /** Consumer group in which results are read. Each process that is to see all of them needs one of its own. @default `millrace-trigger-<random>` */
  readonly groupId?: string;
  /** What the page shows beside the answers, and what accuracy is counted with. @default none: labels without pictures */
  readonly gallery?: Gallery;
  /** Number of images that a range may refer to. Minimum 1. @default that of the gallery, else 10_000 */
  readonly images?: number;
  /** The app that answers, when it runs in this process: its topology is drawn, with what each node does. @default none */
  readonly app?: StreamsApp;
  /**
   * What callers must show: `Authorization: Bearer <token>`, or, for browsers, Basic with the token for a password. `/healthz` and `/readyz` stay open.
   * @default none
   */
  readonly token?: string;
  /** Requests per minute and address that start something; 0 = no limit. @default 600 */
  readonly maxRunsPerMinute?: number;
  /** Runs that are remembered; the oldest finished ones go first. Minimum 1. @default 1_000 */
  readonly keepRuns?: number;
  /** Longest wait for the broker to confirm a request, milliseconds. Minimum 1. @default 5_000 */
  readonly publishTimeoutMs?: number;
  /** OpenAPI at `docs`. @default true */
  readonly docs?: boolean;
  /** Prometheus metrics at `metrics`. @default true */
  readonly metrics?: boolean;
}

/** Options with their defaults. */
export interface TriggerSettings {
  readonly brokers: ReadonlyMap<string, Broker>;
  readonly defaultBroker: string;
  readonly topics: Required<TriggerTopics>;
  readonly groupId: string;
  readonly gallery: Gallery | undefined;
  readonly images: number;
  readonly app: StreamsApp | undefined;
  readonly token: string | undefined;
  readonly maxRunsPerMinute: number;
  readonly keepRuns: number;
  readonly publishTimeoutMs: number;
  readonly docs: boolean;
  readonly metrics: boolean;
}

/** Fills in the defaults. Errors: `ERR_CONFIG` that names the option. */
export function triggerSettings(options: TriggerOptions): TriggerSettings {
  const { gallery, topics = {}, token, groupId } = options;
  const brokers = brokersOf(options.sessions);
  const [defaultBroker = ""] = brokers.keys();
  if (token !== undefined) text("token", token);
  if (gallery !== undefined) checkGallery(gallery);
  const images = count("images", options.images ?? gallery?.labels.length ?? 10_000);
  if (gallery !== undefined && images > gallery.labels.length) {
    throw new ConfigError(`trigger: images is ${images}, but gallery has ${gallery.labels.length}`);
  }
  return {
    brokers,
    defaultBroker,
    topics: {
      input: text("topics.input", topics.input ?? "INFERENCE"),
      output: text("topics.output", topics.output ?? "PREDICTIONS"),
      deadLetters: text("topics.deadLetters", topics.deadLetters ?? "embedded-inference.dlq"),
    },
    groupId: text("groupId", groupId ?? `millrace-trigger-${crypto.randomUUID()}`),
    gallery,
    images,
    app: options.app,
    token,
    maxRunsPerMinute: count("maxRunsPerMinute", options.maxRunsPerMinute ?? 600, 0),
    keepRuns: count("keepRuns", options.keepRuns ?? 1_000),
    publishTimeoutMs: count("publishTimeoutMs", options.publishTimeoutMs ?? 5_000),
    docs: options.docs ?? true,
    metrics: options.metrics ?? true,
  };
}

function count(name: string, value: number, minimum = 1): number {
  if (Number.isSafeInteger(value) && value >= minimum) return value;
  throw new ConfigError(`trigger: ${name} must be a whole number of at least ${minimum}, got ${value}`);
}

function text(name: string, value: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw new ConfigError(`trigger: ${name} must be a text that is not empty, got ${JSON.stringify(value)}`);
}

function brokersOf(sessions: TriggerOptions["sessions"] | undefined): ReadonlyMap<string, Broker> {
  const brokers = new Map(Object.entries(sessions ?? {}));
  if (brokers.size === 0) throw new ConfigError("trigger: sessions must name a broker: { kafka: kafkaBroker(…) }");
  for (const [name, broker] of brokers) {
    if (!/^[\w.-]+$/.test(name)) {
      throw new ConfigError(
        `trigger: sessions: ${JSON.stringify(name)} can't stand in a path: use letters, digits, - . _`,
      );
    }
    if (typeof broker?.open !== "function") throw new ConfigError(`trigger: sessions.${name} is no broker`);
  }
  return brokers;
}

function checkGallery({ images, labels, side }: Gallery): void {
  count("gallery.side", side);
  count("gallery.labels.length", labels.length);
  if (images.length === labels.length * side * side) return;
  throw new ConfigError(
    `trigger: gallery has ${labels.length} labels, so images must have ${labels.length * side * side} bytes; got ${images.length}`,
  );
}
