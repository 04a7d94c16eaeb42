import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, realpathSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";

/** The jar of the Pub/Sub emulator in the Google Cloud SDK. Throws, and says how to install it, when there is none. */
export function pubsubEmulatorJar(): string {
  for (const root of sdkRoots()) {
    const folder = join(root, "platform/pubsub-emulator/lib");
    if (!existsSync(folder)) continue;
    const jar = readdirSync(folder).find((name) => /^cloud-pubsub-emulator.*\.jar$/.test(name));
    if (jar !== undefined) return join(folder, jar);
  }
  throw new Error(
    "the Pub/Sub emulator of the Google Cloud SDK is needed, which npm, PyPI, Maven Central and Debian do not have; install the SDK, then: " +
      "gcloud components install pubsub-emulator (where gcloud is of Google's apt repository: apt-get install google-cloud-cli-pubsub-emulator); " +
      "CLOUDSDK_ROOT names the SDK's folder where gcloud is not on the path",
  );
}

// Cheapest first: `gcloud info` takes seconds.
function* sdkRoots(): Generator<string> {
  const named = process.env["CLOUDSDK_ROOT"];
  if (named) yield named;
  const command = (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((folder) => join(folder, "gcloud"))
    .find((file) => existsSync(file));
  if (command === undefined) return;
  yield dirname(dirname(realpathSync(command)));
  const { status, stdout } = spawnSync(command, ["info", "--format=value(installation.sdk_root)"], {
    encoding: "utf8",
  });
  if (status === 0) yield stdout.trim();
}
