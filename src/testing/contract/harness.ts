import { asyncScheduler } from "rxjs";
import type { Broker, BrokerSession, SessionOptions } from "../../core/broker.ts";
import { silentLogger, type Logger } from "../../core/logger.ts";

/** What a broker may lack by its nature. The first four stand in its `capabilities`, the others in the harness's `lacks`. */
export type BrokerFeature =
  | "exactlyOnce"
  | "partitions"
  | "keyOrder"
  | "replay"
  /** A record may bear several headers of one name, in order. */
  | "repeatedHeaders"
  /** A record's value may be null, which is not the same as empty. */
  | "nullValues"
  /** The harness can cut the connection. */
  | "disconnect";

/** What a driver's author provides. */
export interface BrokerHarnessOptions {
  readonly broker: Broker;
  /** A consumer group that nobody else uses. */
  readonly groupId: string;
  /** What the broker lacks beyond what its capabilities say. @default nothing */
  readonly lacks?: readonly BrokerFeature[];
  /** Longest wait for something that must come, milliseconds. @default 10_000 */
  readonly deadlineMs?: number;
  /** Wait after which what has not come is taken never to come, milliseconds. @default 50 */
  readonly quietMs?: number;
  /**
   * Creates a topic with a name of its own. Sessions of `groupId` read it from its first record: a broker that can't replay gets the subscription now.
   *
   * @param partitions as many, where the broker has partitions
   */
  readonly createTopic: (partitions: number) => Promise<string>;
  /** Where sessions log. @default silent */
  readonly logger?: Logger;
  /** Cuts the connection of all sessions, for good. */
  readonly disconnect?: () => Promise<void>;
  /** Called at the end of a case, after its sessions were closed. */
  readonly close?: () => Promise<void>;
}

/** What a contract case works with; one per case. */
export interface BrokerHarness {
  readonly broker: Broker;
  readonly groupId: string;
  readonly deadlineMs: number;
  readonly quietMs: number;
  lacks(feature: BrokerFeature): boolean;
  /** A fresh topic. @param partitions @default 1 */
  topic(partitions?: number): Promise<string>;
  /** Opens a session in the group, at least once, with room for a hundred deliveries, unless `options` say otherwise. */
  session(options: Partial<SessionOptions> & Pick<SessionOptions, "topics">): Promise<BrokerSession>;
  disconnect(): Promise<void>;
  /** Closes every session that was opened, and frees the rest. */
  close(): Promise<void>;
}

/** Makes the harness of one case. */
export function brokerHarness(options: BrokerHarnessOptions): BrokerHarness {
  const { broker, groupId, lacks = [], deadlineMs = 10_000, quietMs = 50, createTopic, disconnect } = options;
  const { logger = silentLogger } = options;
  const sessions: BrokerSession[] = [];
  return {
    broker,
    groupId,
    deadlineMs,
    quietMs,
    lacks: (feature) => {
      if (feature === "disconnect") return disconnect === undefined;
      if (feature === "repeatedHeaders" || feature === "nullValues") return lacks.includes(feature);
      return !broker.capabilities[feature] || lacks.includes(feature);
    },
    topic: (partitions = 1) => createTopic(partitions),
    session: async (given) => {
      const session = await broker.open({
        groupId,
        maxInFlight: 100,
        processingGuarantee: "at_least_once",
        commitIntervalMs: 10,
        autoOffsetReset: {},
        scheduler: asyncScheduler,
        logger,
        ...given,
      });
      sessions.push(session);
      return session;
    },
    disconnect: async () => disconnect?.(),
    close: async () => {
      await Promise.all(sessions.map((session) => session.close()));
      await options.close?.();
    },
  };
}
