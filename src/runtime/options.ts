import { asyncScheduler, type SchedulerLike } from "rxjs";
import type { Broker, ProcessingGuarantee } from "../core/broker.ts";
import { ConfigError, type StreamsError } from "../core/errors.ts";
import { silentLogger, type Logger } from "../core/logger.ts";
import type { Tracing } from "../core/tracing.ts";
import { checkCount } from "../topology/graph.ts";
import type { ErrorHandling } from "../topology/options.ts";
import { isOperator, type Topology } from "../topology/topology.ts";

export interface RetryOptions {
  /** Attempts in all, the first one included. Minimum 1. @default 5 */
  readonly attempts?: number;
  /** Wait before the second attempt, milliseconds; it doubles each time. @default 100 */
  readonly minDelayMs?: number;
  /** Longest wait, milliseconds. @default 10_000 */
  readonly maxDelayMs?: number;
}

/**
 * Who decides about errors, by where they strike. A node's own `onError` goes before.
 *
 * @default RETRY for errors that are `retryable`, FAIL for the others
 */
export interface ErrorHandlers {
  /** A serde or schema refused the bytes. */
  readonly decode?: ErrorHandling;
  /** A callback threw, a promise rejected, a model failed. */
  readonly process?: ErrorHandling;
  /** A record could not be encoded, written or printed. */
  readonly publish?: ErrorHandling;
  /**
   * No record is to blame: the broker session broke, a timer of a processor threw. RETRY replaces session and pipeline after a
   * backoff; what was not settled is delivered again.
   */
  readonly uncaught?: (error: StreamsError) => "RETRY" | "FAIL";
}

export interface StreamsAppOptions {
  /** Names the app: consumer group, dead letter topic, positions in logs. Letters, digits, `.`, `_` and `-`. */
  readonly applicationId: string;
  readonly broker: Broker;
  /** Where sinks write, when that is another broker than the one that is read. Dead letters stay on `broker`. */
  readonly sinkBroker?: Broker;
  /** @default applicationId */
  readonly groupId?: string;
  /** @default "at_least_once" */
  readonly processingGuarantee?: ProcessingGuarantee;
  /** Time between commits where the broker batches them, milliseconds. Minimum 1. @default 100 */
  readonly commitIntervalMs?: number;
  /** Most unsettled deliveries. Minimum 1. @default what the broker proposes */
  readonly maxInFlight?: number;
  /** Rows queued in front of a batch from which on nothing more is taken in. Minimum 1. @default 8 × maxSize of the batch */
  readonly maxQueuedWeight?: number;
  readonly errors?: ErrorHandlers;
  readonly retry?: RetryOptions;
  /** @default `<applicationId>.dlq` */
  readonly deadLetterTopic?: string;
  /** @default silent */
  readonly logger?: Logger;
  /** Where spans of deliveries, batches and results go: `openTelemetry()` of `millrace/opentelemetry`. @default none */
  readonly tracing?: Tracing | undefined;
  /** The source of time. @default real time */
  readonly scheduler?: SchedulerLike;
}

/** Options with their defaults. */
export interface Settings {
  readonly applicationId: string;
  readonly broker: Broker;
  readonly sinkBroker: Broker | undefined;
  readonly groupId: string;
  readonly processingGuarantee: ProcessingGuarantee;
  readonly commitIntervalMs: number;
  readonly maxInFlight: number;
  readonly maxQueuedWeight: number | undefined;
  readonly errors: ErrorHandlers;
  readonly retry: Required<RetryOptions>;
  readonly deadLetterTopic: string;
  readonly logger: Logger;
  readonly tracing: Tracing | undefined;
  readonly scheduler: SchedulerLike;
}

/** Fills in the defaults and checks what an app asks against its topology and its broker. Errors: `ERR_CONFIG`. */
export function settingsOf(topology: Topology, options: StreamsAppOptions): Settings {
  const { applicationId, broker, retry = {} } = options;
  if (!/^[\w.-]{1,200}$/.test(applicationId)) {
    throw new ConfigError(
      `applicationId has 1 to 200 letters, digits, ".", "_" or "-"; got ${JSON.stringify(applicationId)}`,
    );
  }
  const settings: Settings = {
    applicationId,
    broker,
    sinkBroker: options.sinkBroker,
    groupId: options.groupId ?? applicationId,
    processingGuarantee: options.processingGuarantee ?? "at_least_once",
    commitIntervalMs: checkCount("the app", "commitIntervalMs", options.commitIntervalMs ?? 100),
    maxInFlight: checkCount("the app", "maxInFlight", options.maxInFlight ?? broker.defaultMaxInFlight),
    maxQueuedWeight:
      options.maxQueuedWeight === undefined
        ? undefined
        : checkCount("the app", "maxQueuedWeight", options.maxQueuedWeight),
    errors: options.errors ?? {},
    retry: {
      attempts: checkCount("the app", "retry.attempts", retry.attempts ?? 5),
      minDelayMs: checkCount("the app", "retry.minDelayMs", retry.minDelayMs ?? 100, 0),
      maxDelayMs: checkCount("the app", "retry.maxDelayMs", retry.maxDelayMs ?? 10_000, 0),
    },
    deadLetterTopic: options.deadLetterTopic ?? `${applicationId}.dlq`,
    logger: options.logger ?? silentLogger,
    tracing: options.tracing,
    scheduler: options.scheduler ?? asyncScheduler,
  };
  checkGuarantee(topology, settings);
  warnOfSmallCredit(topology, settings);
  return settings;
}

function checkGuarantee(topology: Topology, { processingGuarantee, broker, sinkBroker }: Settings): void {
  if (processingGuarantee !== "exactly_once") return;
  if (!broker.capabilities.exactlyOnce) {
    throw new ConfigError(
      `${broker.name} can't do exactly_once: it has no transaction over results and acknowledgements`,
    );
  }
  if (sinkBroker !== undefined) {
    throw new ConfigError(
      `exactly_once from ${broker.name} to ${sinkBroker.name} is impossible: no transaction spans two brokers`,
    );
  }
  const input = topology.nodes.find((node) => node.role === "input");
  if (input !== undefined) {
    throw new ConfigError(
      `exactly_once needs a source that can be read again; ${input.name} is fed by the program itself`,
    );
  }
}

function warnOfSmallCredit(topology: Topology, { maxInFlight, logger }: Settings): void {
  for (const node of topology.nodes) {
    if (!isOperator(node) || node.maxSize === undefined || maxInFlight >= 2 * node.maxSize) continue;
    logger.warn(
      { node: node.name, maxInFlight, maxSize: node.maxSize },
      `maxInFlight ${maxInFlight} is below 2 × maxSize of ${node.name}: batches can't fill while one runs`,
    );
  }
}
