import type { Broker, BrokerCapabilities, BrokerSession, SessionOptions } from "../../core/broker.ts";
import { ConfigError } from "../../core/errors.ts";
import { connect } from "./client.ts";
import { pubsubSettings, subscriptionName, type PubSubOptions, type PubSubSettings } from "./options.ts";
import { Provision } from "./provision.ts";
import { PubSubSession } from "./session.ts";

/** Google Cloud Pub/Sub, or its emulator; each session has a client of its own. */
class PubSubBroker implements Broker {
  readonly name = "pubsub";
  readonly capabilities: BrokerCapabilities;
  readonly defaultMaxInFlight = 1_000;
  private readonly settings: PubSubSettings;

  constructor(options: PubSubOptions) {
    this.settings = pubsubSettings(options);
    const { ordering, maxRecordBytes } = this.settings;
    this.capabilities = { exactlyOnce: false, partitions: false, keyOrder: ordering, replay: false, maxRecordBytes };
  }

  async open(options: SessionOptions): Promise<BrokerSession> {
    if (options.processingGuarantee === "exactly_once") {
      throw new ConfigError(
        "pubsub: exactly_once is not possible: Pub/Sub has no transactions; use at_least_once, with exactlyOnceDelivery for confirmed acks",
      );
    }
    const client = await connect(this.settings);
    const provision = new Provision(client, this.settings, options.logger);
    try {
      await provision.topics(options.topics);
      for (const topic of options.reads ?? [])
        await provision.subscription(subscriptionName(this.settings, topic, options.groupId), topic);
    } catch (error) {
      await client.close().catch(() => {});
      throw error;
    }
    return new PubSubSession({ client, settings: this.settings, provision }, options);
  }
}

/**
 * Google Cloud Pub/Sub as a broker, at least once. Each group reads a topic through a subscription of its own.
 *
 * Errors: `ERR_CONFIG` for an option; `open` without credentials or topics.
 */
export function pubsubBroker(options: PubSubOptions = {}): Broker {
  return new PubSubBroker(options);
}
