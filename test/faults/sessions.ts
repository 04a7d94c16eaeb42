import { asyncScheduler } from "rxjs";
import { silentLogger, type BrokerSession, type Delivery, type Logger, type ProcessingGuarantee } from "millrace";
import { kafkaBroker, type KafkaOptions } from "millrace/kafka";
import type { Ledger } from "./ledger.ts";

export interface SessionSettings {
  readonly maxInFlight: number;
  readonly processingGuarantee?: ProcessingGuarantee;
  readonly logger?: Logger;
  /** What differs from quick rebalances. */
  readonly kafka?: Partial<KafkaOptions>;
}

/** A member of the ledger's group without an app: the test itself settles what it gets. */
export function openSession(
  brokers: readonly string[],
  ledger: Ledger,
  { maxInFlight, processingGuarantee = "at_least_once", logger = silentLogger, kafka = {} }: SessionSettings,
): Promise<BrokerSession> {
  return kafkaBroker({
    brokers,
    sessionTimeoutMs: 1_500,
    rebalanceTimeoutMs: 2_000,
    rebalanceDrainMs: 200,
    ...kafka,
  }).open({
    groupId: ledger.groupId,
    maxInFlight,
    processingGuarantee,
    commitIntervalMs: 50,
    autoOffsetReset: {},
    topics: [ledger.input],
    scheduler: asyncScheduler,
    logger,
  });
}

export function valueOf({ record }: Delivery): string {
  return new TextDecoder().decode(record.value ?? new Uint8Array());
}

/** Partition and offset of a delivery. */
export function placeOf({ position }: Delivery): { readonly partition: number; readonly offset: number } {
  const [partition = NaN, offset = NaN] = (/(\d+)@(\d+)$/.exec(position)?.slice(1) ?? []).map(Number);
  return { partition, offset };
}
