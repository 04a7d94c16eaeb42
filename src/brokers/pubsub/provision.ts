import type { CallOptions, PubSub } from "@google-cloud/pubsub";
import type { Logger } from "../../core/logger.ts";
import { BrokerError, ConfigError, StreamsError } from "../../core/errors.ts";
import { isName, topicName, type PubSubSettings } from "./options.ts";
import { codeOf, isDenied, isMissing, reasonOf, status } from "./status.ts";

/** What is looked at of a subscription that exists. */
interface FoundSubscription {
  readonly topic?: string | null | undefined;
  readonly enableMessageOrdering?: boolean | null | undefined;
  readonly enableExactlyOnceDelivery?: boolean | null | undefined;
}

/** Finds or creates what a session needs at the service. */
export class Provision {
  private readonly client: PubSub;
  private readonly settings: PubSubSettings;
  private readonly logger: Logger;

  constructor(client: PubSub, settings: PubSubSettings, logger: Logger) {
    this.client = client;
    this.settings = settings;
    this.logger = logger;
  }

  /** Errors: `ERR_CONFIG` names all topics that are missing and how to create them, `ERR_BROKER` when the service can't be asked. */
  async topics(topics: readonly string[]): Promise<void> {
    const names = [...new Set(topics.map((topic) => topicName(this.settings, topic)))];
    for (const name of names) {
      if (!isName(name)) throw new ConfigError(`pubsub: ${JSON.stringify(name)} is no name for a topic`);
    }
    const found = await Promise.all(names.map((name) => this.topic(name)));
    const missing = names.filter((_, index) => found[index] === false);
    if (missing.length === 0) return;
    const commands = missing.map((name) => `gcloud pubsub topics create ${name}${this.project}`);
    throw missed("topics", missing, commands);
  }

  /** As `topics`, for the subscription through which a topic is read. */
  async subscription(name: string, topic: string): Promise<void> {
    if (!isName(name)) throw new ConfigError(`pubsub: ${JSON.stringify(name)} is no name for a subscription`);
    const physical = topicName(this.settings, topic);
    const subscription = this.client.subscription(name);
    const look = async (): Promise<void> => this.compare(name, (await subscription.getMetadata(call))[0]);
    if (await this.exists(`subscription ${name}`, look)) return;
    const { createTopics, ordering, exactlyOnceDelivery, filter } = this.settings;
    if (!createTopics) {
      const flags = `${ordering ? " --enable-message-ordering" : ""}${exactlyOnceDelivery ? " --enable-exactly-once-delivery" : ""}`;
      const command = `gcloud pubsub subscriptions create ${name} --topic=${physical}${flags}${this.project}`;
      throw missed("subscription", [name], [command]);
    }
    await this.create(`subscription ${name}`, () =>
      this.client.createSubscription(physical, name, {
        enableMessageOrdering: ordering,
        enableExactlyOnceDelivery: exactlyOnceDelivery,
        ...(filter === undefined ? {} : { filter: filter.text }),
        gaxOpts: call,
      }),
    );
  }

  /** What exists is used as it is; where it differs from what was asked, the log says so. */
  private compare(name: string, found: FoundSubscription): void {
    const { ordering, exactlyOnceDelivery } = this.settings;
    const warn = (what: string): void => this.logger.warn({ subscription: name }, `subscription ${name} ${what}`);
    if (found.topic === "_deleted-topic_")
      warn("is of a topic that was deleted: nothing new will come; delete it as well");
    if (ordering && found.enableMessageOrdering !== true)
      warn("was created without message ordering: the records of a key may come in any order");
    if (exactlyOnceDelivery && found.enableExactlyOnceDelivery !== true)
      warn("was created without exactly-once delivery: acks are not confirmed");
  }

  private async topic(name: string): Promise<boolean> {
    const topic = this.client.topic(name);
    if (await this.exists(`topic ${name}`, () => topic.getMetadata(call))) return true;
    if (!this.settings.createTopics) return false;
    await this.create(`topic ${name}`, () => topic.create(call));
    return true;
  }

  private async exists(what: string, ask: () => Promise<unknown>): Promise<boolean> {
    try {
      await this.within(what, ask());
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      // Accounts may read and write without the right to look; then the first use tells.
      if (codeOf(error) === status.permissionDenied) {
        this.logger.debug({ error: reasonOf(error) }, `${what} can't be looked at; it is taken to exist`);
        return true;
      }
      throw failed(`${what} can't be looked at`, error);
    }
  }

  private async create(what: string, create: () => Promise<unknown>): Promise<void> {
    try {
      await this.within(what, create());
      this.logger.info({}, `created ${what}`);
    } catch (error) {
      if (codeOf(error) !== status.alreadyExists) throw failed(`${what} can't be created`, error);
    }
  }

  /** The client goes on trying for ten minutes. */
  private async within(what: string, answer: Promise<unknown>): Promise<void> {
    const { connectTimeoutMs } = this.settings;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new BrokerError(`pubsub: no answer about ${what} within ${connectTimeoutMs} ms`, "pubsub"));
      }, connectTimeoutMs);
    });
    try {
      await Promise.race([answer, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  private get project(): string {
    return ` --project=${this.client.projectId}`;
  }
}

const call: CallOptions = {};

function missed(what: string, names: readonly string[], commands: readonly string[]): ConfigError {
  return new ConfigError(
    `pubsub: missing ${what}: ${names.join(", ")}; start with --create-topics (createTopics: true), or run: ${commands.join(" && ")}`,
  );
}

function failed(what: string, error: unknown): StreamsError {
  if (error instanceof StreamsError) return error;
  const denied = isDenied(error) ? ": the account lacks the right" : "";
  return new BrokerError(`pubsub: ${what}${denied}: ${reasonOf(error)}`, "pubsub", { cause: error });
}
