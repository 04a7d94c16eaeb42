import type { Broker, BrokerCapabilities, BrokerSession, SessionOptions } from "../../core/broker.ts";
import { BrokerError, messageOf, StreamsError } from "../../core/errors.ts";
import { kafkaClient } from "./client.ts";
import { classify } from "./kafkajs-errors.ts";
import { kafkaSettings, type KafkaOptions, type KafkaSettings } from "./options.ts";
import { KafkaSession } from "./session.ts";
import { KafkaSink } from "./sink.ts";
import { TopicCatalog } from "./topics.ts";

/**
 * Apache Kafka as a source and a sink, through kafkajs 2.2.4.
 *
 * Errors: `ERR_CONFIG` for an option out of range.
 */
export function kafkaBroker(options: KafkaOptions): Broker {
  return new KafkaBroker(kafkaSettings(options));
}

class KafkaBroker implements Broker {
  readonly name = "kafka";
  readonly defaultMaxInFlight = 4_096;
  readonly capabilities: BrokerCapabilities;
  private readonly settings: KafkaSettings;

  constructor(settings: KafkaSettings) {
    this.settings = settings;
    this.capabilities = {
      exactlyOnce: true,
      partitions: true,
      keyOrder: true,
      replay: true,
      maxRecordBytes: settings.maxRecordBytes,
    };
  }

  async open(options: SessionOptions): Promise<BrokerSession> {
    const { settings } = this;
    const { logger } = options;
    const admin = kafkaClient(settings, logger, "admin").admin();
    const catalog = new TopicCatalog(admin, settings, logger);
    const failed = (error: BrokerError): void => session.fail(error);
    const sink = new KafkaSink({ settings, logger, catalog, failed });
    const session = new KafkaSession({
      settings,
      options,
      admin,
      catalog,
      sink,
      consumers: kafkaClient(settings, logger, "consumer"),
      transactions: kafkaClient(settings, logger, "transactions"),
    });
    try {
      await this.connect(() => admin.connect());
      await catalog.ensure(options.topics);
      await sink.connect();
      return session;
    } catch (cause) {
      await session.close().catch(() => {}); // why it could not be opened says more
      if (cause instanceof StreamsError) throw cause;
      throw new BrokerError(`${settings.brokers.join(", ")}: ${messageOf(cause)}`, "kafka", { cause });
    }
  }

  /** Tries until `connectTimeoutMs` is over: brokers may start after us. */
  private async connect(attempt: () => Promise<void>): Promise<void> {
    const until = Date.now() + this.settings.connectTimeoutMs;
    for (let delay = 100; ; delay = Math.min(2 * delay, 1_000)) {
      try {
        return await attempt();
      } catch (cause) {
        if (classify(cause) === "fatal" || Date.now() + delay > until) throw cause;
        await new Promise((resolve) => setTimeout(resolve, delay));
      }
    }
  }
}
