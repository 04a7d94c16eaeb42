import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import type { Logger } from "millrace";
import { pubsubBroker } from "millrace/pubsub";
import { asyncScheduler } from "rxjs";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { connect } from "../../../src/brokers/pubsub/client.ts";
import { pubsubSettings } from "../../../src/brokers/pubsub/options.ts";

const workingDirectory = process.cwd();
let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-credentials-"));
  process.chdir(folder);
  const none = ["GOOGLE_APPLICATION_CREDENTIALS", "PUBSUB_EMULATOR_HOST", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT"];
  for (const name of none) vi.stubEnv(name, "");
  vi.stubEnv("METADATA_SERVER_DETECTION", "none");
});
afterEach(() => {
  vi.unstubAllEnvs();
  process.chdir(workingDirectory);
  rmSync(folder, { recursive: true });
});

/** The key file of a service account that nobody has; its private key is made now. */
function keyOf(name: string): { readonly text: string; readonly secret: string } {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const text = JSON.stringify({
    ...{ type: "service_account", project_id: `project-of-${name}`, private_key_id: "id", private_key: pem },
    ...{ client_email: `${name}@example.com`, client_id: "1", token_uri: "https://127.0.0.1:9/token" },
  });
  return { text, secret: pem.split("\n")[5] ?? pem };
}

async function principal(): Promise<readonly [string | undefined, string]> {
  const client = await connect(pubsubSettings({}));
  const { client_email: email } = await client.auth.getCredentials();
  await client.close();
  return [email, client.projectId];
}

describe("credentials of pubsub", () => {
  // Red without `keyFilename` in src/brokers/pubsub/client.ts `serviceConfig`.
  it("come from credentials.json in the working directory", async () => {
    writeFileSync("credentials.json", keyOf("local").text);
    expect(await principal()).toEqual(["local@example.com", "project-of-local"]);
  });

  // Red without the look at the variable in src/brokers/pubsub/client.ts `serviceConfig`.
  it("come from GOOGLE_APPLICATION_CREDENTIALS rather than from there", async () => {
    writeFileSync("credentials.json", keyOf("local").text);
    writeFileSync("named.json", keyOf("named").text);
    vi.stubEnv("GOOGLE_APPLICATION_CREDENTIALS", join(folder, "named.json"));
    expect(await principal()).toEqual(["named@example.com", "project-of-named"]);
  });

  // Red without `checkKeyFile` in src/brokers/pubsub/client.ts `serviceConfig`: the message quotes the file that the variable names.
  it.each(["credentials.json", "named.json"])(
    "in %s that is no JSON are an error that quotes nothing of it",
    async (name) => {
      const { text, secret } = keyOf("local");
      writeFileSync(name, `${secret}\n${text}`);
      if (name !== "credentials.json") vi.stubEnv("GOOGLE_APPLICATION_CREDENTIALS", join(folder, name));
      const error: unknown = await connect(pubsubSettings({ projectId: "p" })).catch((cause: unknown) => cause);
      expect(error).toMatchObject({
        code: "ERR_CONFIG",
        message: expect.stringContaining(`${name} is no file of credentials`),
      });
      expect(inspect(error, { depth: Infinity })).not.toContain(secret.slice(0, 6));
    },
  );

  it("are in no error and no line of the log when the service can't be reached", async () => {
    // In the way to the network.
    const proxy = createServer((socket) => socket.destroy());
    proxy.listen(0, "127.0.0.1");
    await once(proxy, "listening");
    // A server that listens on a port has an address of this kind.
    const { port } = proxy.address() as AddressInfo;
    for (const name of ["grpc_proxy", "https_proxy", "HTTPS_PROXY"]) vi.stubEnv(name, `http://127.0.0.1:${port}`);
    for (const name of ["no_grpc_proxy", "no_proxy", "NO_PROXY"]) vi.stubEnv(name, "");
    const { text, secret } = keyOf("local");
    writeFileSync("credentials.json", text);
    const lines: string[] = [];
    const log = (fields: object, message?: string): void => {
      lines.push(`${message} ${inspect(fields, { depth: Infinity })}`);
    };
    const logger: Logger = { trace: log, debug: log, info: log, warn: log, error: log };
    const error: unknown = await pubsubBroker({ connectTimeoutMs: 2_000 })
      .open({
        groupId: "g",
        maxInFlight: 1,
        processingGuarantee: "at_least_once",
        commitIntervalMs: 1,
        autoOffsetReset: {},
        topics: ["topic"],
        scheduler: asyncScheduler,
        logger,
      })
      .catch((cause: unknown) => cause);
    proxy.close();
    expect(error).toMatchObject({ code: "ERR_BROKER" });
    expect(inspect(error, { depth: Infinity })).not.toContain(secret);
    expect(lines.filter((line) => line.includes(secret))).toEqual([]);
  });
});
