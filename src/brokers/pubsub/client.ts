import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { env } from "node:process";
import { PubSub, type ClientConfig } from "@google-cloud/pubsub";
import { ConfigError } from "../../core/errors.ts";
import type { PubSubSettings } from "./options.ts";
import { reasonOf } from "./status.ts";

/**
 * A client of the emulator, or of the service with credentials that were found: `GOOGLE_APPLICATION_CREDENTIALS`, `./credentials.json`, or
 * those of the machine.
 *
 * Errors: `ERR_CONFIG` without credentials or project; the client itself would end the process at the first publish.
 */
export async function connect(settings: PubSubSettings): Promise<PubSub> {
  const emulatorHost = settings.emulatorHost || env["PUBSUB_EMULATOR_HOST"];
  if (emulatorHost) return emulated(emulatorHost, settings.projectId || env["PUBSUB_PROJECT_ID"] || "millrace");
  const client = new PubSub(serviceConfig(settings));
  try {
    await client.auth.getClient();
    client.projectId = await client.auth.getProjectId();
    return client;
  } catch (cause) {
    await client.close().catch(() => {});
    throw new ConfigError(
      `pubsub: no credentials and no emulator: set GOOGLE_APPLICATION_CREDENTIALS to a key file, put credentials.json into the working directory, or set PUBSUB_EMULATOR_HOST (${reasonOf(cause)})`,
      { cause },
    );
  }
}

/** Whether a client talks to an emulator. */
export function isEmulator(client: PubSub): boolean {
  return client.isEmulator;
}

function serviceConfig({ projectId }: PubSubSettings): ClientConfig {
  const named = env["GOOGLE_APPLICATION_CREDENTIALS"];
  const keyFilename = resolve("credentials.json");
  const fromFile = !named && existsSync(keyFilename);
  checkKeyFile(named || keyFilename);
  // oxlint-disable-next-line typescript/no-deprecated -- the warning is about files of strangers; this one is the operator's
  return { ...(projectId === undefined ? {} : { projectId }), ...(fromFile ? { keyFilename } : {}) };
}

/** Of a file that is not JSON the client would quote the beginning, or take it for a key in another format and fail at the first call. */
function checkKeyFile(file: string): void {
  // Where it is missing or can't be read, the client says so.
  if (!existsSync(file)) return;
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) return;
  }
  if (typeof content === "object" && content !== null && "type" in content) return;
  throw new ConfigError(`pubsub: ${file} is no file of credentials: it is not JSON with a "type"`);
}

function emulated(apiEndpoint: string, projectId: string): PubSub {
  // With the domain given, the auth library does not look for Google's metadata server to learn it.
  return new PubSub({ apiEndpoint, emulatorMode: true, projectId, universeDomain: "googleapis.com" });
}
