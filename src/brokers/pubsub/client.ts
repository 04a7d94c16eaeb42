import { existsSync } from "node:fs";
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
  const keyFilename = resolve("credentials.json");
  const fromFile = !env["GOOGLE_APPLICATION_CREDENTIALS"] && existsSync(keyFilename);
  // oxlint-disable-next-line typescript/no-deprecated -- the warning is about files of strangers; this one is the operator's
  return { ...(projectId === undefined ? {} : { projectId }), ...(fromFile ? { keyFilename } : {}) };
}

function emulated(apiEndpoint: string, projectId: string): PubSub {
  // With the domain given, the auth library does not look for Google's metadata server to learn it.
  return new PubSub({ apiEndpoint, emulatorMode: true, projectId, universeDomain: "googleapis.com" });
}
