import { PubSub } from "@google-cloud/pubsub";
import { silentLogger, type BrokerSession, type Delivery, type Logger } from "millrace";
import { pubsubBroker, type PubSubOptions } from "millrace/pubsub";
import { asyncScheduler } from "rxjs";
import { startPubSubEmulator, type PubSubEmulator } from "../../scripts/brokers/pubsub.ts";
import { until } from "../../scripts/brokers/until.ts";

export const projectId = "faults";

export interface Reader {
  readonly topic: string;
  readonly groupId: string;
  readonly maxInFlight?: number;
  readonly logger?: Logger;
}

/** An emulator, and a plain client of it of which the code under test knows nothing. */
export class PubSubService {
  readonly emulator: PubSubEmulator;
  private client: PubSub;

  private constructor(emulator: PubSubEmulator) {
    this.emulator = emulator;
    this.client = this.connect();
  }

  static async start(): Promise<PubSubService> {
    return new PubSubService(await startPubSubEmulator());
  }

  /** A session of the driver that creates what is missing. */
  open(
    { topic, groupId, maxInFlight = 100, logger = silentLogger }: Reader,
    options: PubSubOptions = {},
  ): Promise<BrokerSession> {
    const { host: emulatorHost } = this.emulator;
    return pubsubBroker({ projectId, emulatorHost, createTopics: true, minBackoffMs: 50, ...options }).open({
      groupId,
      maxInFlight,
      processingGuarantee: "at_least_once",
      commitIntervalMs: 100,
      autoOffsetReset: {},
      topics: [topic],
      reads: [topic],
      scheduler: asyncScheduler,
      logger,
    });
  }

  async subscribed(topic: string, groupId: string): Promise<void> {
    await until(async () => (await this.client.subscription(`${topic}-${groupId}`).exists())[0], {
      what: "the subscription",
      ms: 30_000,
      everyMs: 100,
    });
  }

  /** Publishes so many numbers from `from` on; resolves when they are acknowledged. */
  async publish(topic: string, from: number, count: number): Promise<string[]> {
    const values = Array.from({ length: count }, (_, index) => String(from + index));
    await Promise.all(values.map((value) => this.client.topic(topic).publishMessage({ data: Buffer.from(value) })));
    return values;
  }

  /** Publishes values in the order of their key. */
  async publishInOrder(topic: string, orderingKey: string, values: readonly string[]): Promise<void> {
    const ordered = this.client.topic(topic, { messageOrdering: true });
    await Promise.all(values.map((value) => ordered.publishMessage({ data: Buffer.from(value), orderingKey })));
  }

  /** Ends the lease of a delivery before its time, as a deadline would. */
  async expire(topic: string, groupId: string, delivery: Delivery): Promise<void> {
    const subscription = this.client.subscription(`${topic}-${groupId}`);
    // Of the driver's own class: a delivery shows its lease to nobody.
    const { held } = delivery as unknown as {
      readonly held: { readonly leases: readonly { readonly ackId: string }[] };
    };
    await new Promise<void>((resolve, reject) => {
      subscription.request(
        {
          client: "SubscriberClient",
          method: "modifyAckDeadline",
          reqOpts: {
            subscription: subscription.name,
            ackIds: held.leases.map(({ ackId }) => ackId),
            ackDeadlineSeconds: 0,
          },
        },
        (error) => {
          if (error === null || error === undefined) resolve();
          else reject(error);
        },
      );
    });
  }

  async deleteSubscription(topic: string, groupId: string): Promise<void> {
    await this.client.subscription(`${topic}-${groupId}`).delete();
  }

  /** The plain client's connection does not survive the emulator. */
  async reconnect(): Promise<void> {
    await this.client.close();
    this.client = this.connect();
  }

  async stop(): Promise<void> {
    await this.client.close();
    await this.emulator.stop();
  }

  private connect(): PubSub {
    const { host: apiEndpoint } = this.emulator;
    return new PubSub({ projectId, apiEndpoint, emulatorMode: true, universeDomain: "googleapis.com" });
  }
}

export function valueOf({ record }: Delivery): string {
  return new TextDecoder().decode(record.value ?? new Uint8Array());
}
