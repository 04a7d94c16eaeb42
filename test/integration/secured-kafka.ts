import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { findJava } from "../../scripts/brokers/java.ts";
import { withListener } from "../../scripts/brokers/kafka-config.ts";
import { startKafka, type KafkaCluster } from "../../scripts/brokers/kafka.ts";
import { freePorts } from "../../scripts/brokers/ports.ts";
import { removeFolder, temporaryFolder } from "../../scripts/brokers/temporary-folder.ts";

/** A node that has, beside its plain listener, one with TLS and every mechanism of SASL. */
export interface SecuredKafka {
  readonly cluster: KafkaCluster;
  /** Of the secured listener. */
  readonly address: string;
  /** The certificate that vouches for it, PEM. */
  readonly ca: string;
  /** May do everything, by PLAIN and by SCRAM. */
  readonly alice: Account;
  /** May do what it is granted, by PLAIN. */
  readonly bob: Account;
  stop(): Promise<void>;
}

export interface Account {
  readonly username: string;
  readonly password: string;
}

const security = "org.apache.kafka.common.security";

/** Starts it, with a key, a certificate and passwords of this moment. Whoever comes by the plain listener may do everything. */
export async function startSecuredKafka(): Promise<SecuredKafka> {
  const folder = temporaryFolder("keys", { detached: false });
  const [keys, [port = 0]] = await Promise.all([makeKeys(folder), freePorts(1)]);
  const alice = { username: "alice", password: randomUUID() };
  const bob = { username: "bob", password: randomUUID() };
  const scram = (bits: number): string[] => [
    "--add-scram",
    `SCRAM-SHA-${bits}=[name=${alice.username},password=${alice.password}]`,
  ];
  const users = [alice, bob].map(({ username, password }) => `user_${username}="${password}"`).join(" ");
  const cluster = await startKafka({
    formatArgs: [...scram(256), ...scram(512)],
    config: (node) => ({
      ...withListener(node, { name: "SECURED", protocol: "SASL_SSL", port }),
      "ssl.keystore.type": "PKCS12",
      "ssl.keystore.location": keys.store,
      "ssl.keystore.password": keys.password,
      "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
      "listener.name.secured.plain.sasl.jaas.config": `${security}.plain.PlainLoginModule required ${users};`,
      "listener.name.secured.scram-sha-256.sasl.jaas.config": `${security}.scram.ScramLoginModule required;`,
      "listener.name.secured.scram-sha-512.sasl.jaas.config": `${security}.scram.ScramLoginModule required;`,
      "listener.name.secured.oauthbearer.sasl.jaas.config": `${security}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`,
      "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
      "super.users": `User:ANONYMOUS;User:${alice.username}`,
    }),
  });
  const stop = async (): Promise<void> => {
    await cluster.stop();
    removeFolder(folder);
  };
  return { cluster, address: `127.0.0.1:${port}`, ca: keys.certificate, alice, bob, stop };
}

interface Keys {
  readonly store: string;
  readonly password: string;
  readonly certificate: string;
}

async function makeKeys(folder: string): Promise<Keys> {
  const java = findJava();
  const keytool = java.includes("/") ? join(dirname(java), "keytool") : "keytool";
  const store = join(folder, "keys.p12");
  const file = join(folder, "certificate.pem");
  const password = randomUUID();
  const run = (args: readonly string[]): Promise<unknown> =>
    promisify(execFile)(keytool, [...args, "-alias", "kafka", "-keystore", store, "-storepass", password]);
  await run([
    ...["-genkeypair", "-keyalg", "EC", "-groupname", "secp256r1", "-storetype", "PKCS12", "-validity", "2"],
    ...["-dname", "CN=localhost", "-ext", "SAN=IP:127.0.0.1,DNS:localhost"],
  ]);
  await run(["-exportcert", "-rfc", "-file", file]);
  return { store, password, certificate: await readFile(file, "utf8") };
}
