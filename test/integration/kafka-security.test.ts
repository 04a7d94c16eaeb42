import { randomUUID } from "node:crypto";
import { inspect } from "node:util";
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  Kafka,
  logLevel,
  ResourcePatternTypes,
} from "kafkajs";
import type { BrokerSession, Logger, OutgoingRecord } from "millrace";
import { kafkaBroker, type KafkaOptions } from "millrace/kafka";
import { asyncScheduler } from "rxjs";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { until } from "../../scripts/brokers/until.ts";
import { kafkaBrokers } from "../brokers/addresses.ts";
import { skipped } from "./plain-clients.ts";
import { startSecuredKafka, type Account, type SecuredKafka } from "./secured-kafka.ts";

type Sasl = Exclude<KafkaOptions["sasl"], undefined>;

// Skipped where Kafka is: both come from the same scripts.
describe.skipIf(kafkaBrokers() === undefined && skipped("Kafka with TLS and SASL (there is no Kafka)"))(
  "kafka with TLS and SASL",
  () => {
    let kafka: SecuredKafka;
    let lines: string[] = [];
    beforeAll(async () => {
      kafka = await startSecuredKafka();
    });
    afterAll(() => kafka.stop());
    beforeEach(() => {
      lines = [];
    });

    const log = (fields: object, message?: string): void => {
      lines.push(`${message} ${inspect(fields, { depth: Infinity })}`);
    };
    const logger: Logger = { trace: log, debug: log, info: log, warn: log, error: log };

    function open(topics: readonly string[], options: Partial<KafkaOptions>): Promise<BrokerSession> {
      return kafkaBroker({ brokers: [kafka.address], ssl: { ca: [kafka.ca] }, maxWaitMs: 50, ...options }).open({
        groupId: `${topics[0]}-group`,
        maxInFlight: 100,
        processingGuarantee: "at_least_once",
        commitIntervalMs: 100,
        autoOffsetReset: {},
        topics,
        scheduler: asyncScheduler,
        logger,
      });
    }

    /** By the plain listener, as one who may do everything. */
    async function createTopic(config: Readonly<Record<string, string>> = {}, reader?: Account): Promise<string> {
      const topic = `t-${randomUUID()}`;
      const admin = new Kafka({ brokers: kafka.cluster.brokers, logLevel: logLevel.NOTHING }).admin();
      await admin.connect();
      const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
      await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 1, configEntries }] });
      const granted = [
        [AclResourceTypes.TOPIC, topic, AclOperationTypes.READ],
        [AclResourceTypes.TOPIC, topic, AclOperationTypes.WRITE],
        [AclResourceTypes.GROUP, `${topic}-group`, AclOperationTypes.READ],
      ] as const;
      if (reader !== undefined) {
        await admin.createAcls({
          acl: granted.map(([resourceType, resourceName, operation]) => ({
            ...{ resourceType, resourceName, resourcePatternType: ResourcePatternTypes.LITERAL },
            ...{ principal: `User:${reader.username}`, host: "*", operation },
            permissionType: AclPermissionTypes.ALLOW,
          })),
        });
      }
      await admin.disconnect();
      return topic;
    }

    async function readBack(session: BrokerSession, topic: string, count: number): Promise<readonly string[]> {
      const values: string[] = [];
      const reading = session.deliveries([topic]).subscribe((delivery) => {
        values.push(Buffer.from(delivery.record.value ?? []).toString());
        delivery.ack();
      });
      await until(() => values.length >= count, { what: () => `what was written: ${lines.join("\n")}` });
      reading.unsubscribe();
      return values;
    }

    const recordOf = (topic: string, value: string): OutgoingRecord => ({
      ...{ topic, key: null, value: Buffer.from(value), headers: [], timestamp: Date.now() },
    });

    /** An unsecured token, as Kafka's own validator takes where none other is configured. */
    const token = (subject: string): string => {
      const part = (content: object): string => Buffer.from(JSON.stringify(content)).toString("base64url");
      const now = Math.floor(Date.now() / 1_000);
      return `${part({ alg: "none" })}.${part({ sub: subject, iat: now, exp: now + 600 })}.`;
    };

    const mechanisms: readonly [string, (account: Account) => Sasl][] = [
      ["plain", (account) => ({ mechanism: "plain", ...account })],
      ["scram-sha-256", (account) => ({ mechanism: "scram-sha-256", ...account })],
      ["scram-sha-512", (account) => ({ mechanism: "scram-sha-512", ...account })],
      [
        "oauthbearer",
        ({ username }) => ({
          mechanism: "oauthbearer",
          oauthBearerProvider: () => Promise.resolve({ value: token(username) }),
        }),
      ],
    ];

    // Red without `sasl`, or without `ssl`, in src/brokers/kafka/client.ts `kafkaClient`.
    test.each(mechanisms)("writes and reads with %s", async (_, sasl) => {
      const topic = await createTopic();
      const session = await open([topic], { sasl: sasl(kafka.alice) });
      await session.publish([recordOf(topic, "a"), recordOf(topic, "b")]);
      expect(await readBack(session, topic, 2)).toEqual(["a", "b"]);
      await session.close();
      expect(lines.filter((line) => line.includes(kafka.alice.password))).toEqual([]);
    });

    // Red without KafkaJSSASLAuthenticationError in src/brokers/kafka/kafkajs-errors.ts `fatal`: it is tried for a minute.
    test.each(mechanisms.slice(0, 3))(
      "a wrong password for %s is one error that keeps it",
      { timeout: 20_000 },
      async (_, sasl) => {
        const topic = await createTopic();
        const password = `wrong-${randomUUID()}`;
        const error: unknown = await open([topic], {
          sasl: sasl({ ...kafka.alice, password }),
          connectTimeoutMs: 60_000,
        }).catch((cause: unknown) => cause);
        expect(error).toMatchObject({ code: "ERR_BROKER", message: expect.stringMatching(/SASL .* failed/) });
        expect(inspect(error, { depth: Infinity })).not.toContain(password);
        expect(lines.filter((line) => line.includes(password))).toEqual([]);
      },
    );

    // Red without `ssl` in src/brokers/kafka/client.ts `kafkaClient`: the listener hangs up, and no certificate is named.
    test("a certificate that nobody vouches for is an error that says so", async () => {
      const sasl = mechanisms[0]?.[1](kafka.alice);
      const opening = open([], { ssl: true, ...(sasl && { sasl }), connectTimeoutMs: 300 });
      await expect(opening).rejects.toMatchObject({
        code: "ERR_BROKER",
        message: expect.stringContaining("self-signed certificate"),
      });
    });

    // Red without the `catch` of src/brokers/kafka/topics.ts `batchSizes`: the session does not open.
    test("who may only read and write does, and the broker's limit is kept without being known", async () => {
      const { bob } = kafka;
      const topic = await createTopic({ "max.message.bytes": "10000" }, bob);
      const session = await open([topic], { sasl: { mechanism: "plain", ...bob } });
      expect(lines.join("\n")).toContain("kafka topics can't be described: maxRecordBytes is taken for all");
      const [first, large, last] = await Promise.allSettled([
        session.publish([recordOf(topic, "a")]),
        session.publish([recordOf(topic, "x".repeat(20_000))]),
        session.publish([recordOf(topic, "b")]),
      ]);
      expect([first?.status, last?.status]).toEqual(["fulfilled", "fulfilled"]);
      expect(large).toMatchObject({ reason: { code: "ERR_PUBLISH", retryable: false } });
      expect(await readBack(session, topic, 2)).toEqual(["a", "b"]);
      await session.close();
    });
  },
);
