import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Command } from "../integration/command.ts";
import { report } from "./ledger.ts";

/** Stands in the way to the network: whoever would go there comes here. */
let proxy: Server;
let connections = 0;
const home = mkdtempSync(join(tmpdir(), "millrace-home-"));
beforeAll(async () => {
  proxy = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
});
afterAll(() => {
  proxy.close();
  rmSync(home, { recursive: true });
});

// Red without the look for credentials in src/brokers/pubsub/client.ts `connect`: the service is asked.
test.each([
  ["without a project", ""],
  ["with a project", "some-project"],
])("no credentials and no emulator, %s", async (_, project) => {
  // A server that listens on a port has an address of this kind.
  const { port } = proxy.address() as AddressInfo;
  const address = `http://127.0.0.1:${port}`;
  const command = new Command(["run", "topologies/embedded-inference", "--broker", "pubsub", "--create-topics"], {
    ...{ HOME: home, CLOUDSDK_CONFIG: home, GOOGLE_APPLICATION_CREDENTIALS: "", PUBSUB_EMULATOR_HOST: "" },
    ...{ PUBSUB_PROJECT_ID: "", GOOGLE_CLOUD_PROJECT: project, GCLOUD_PROJECT: "" },
    // As on a machine that is not Google's.
    METADATA_SERVER_DETECTION: "none",
    ...{ https_proxy: address, HTTPS_PROXY: address, grpc_proxy: address, no_proxy: "", NO_PROXY: "" },
  });
  const exits = [await command.end()];
  // The log says what ends the app, and so does the command.
  const lines = command.stderr.split("\n").filter((line) => line.startsWith("error:"));
  const errors = [...new Set(lines.map((line) => line.replace("error: app failed:", "error:")))];
  report(`Pub/Sub without credentials ${project}`, { exits: exits.length }, { errors: errors.length, connections });
  expect(exits).toEqual([1]);
  expect(errors).toHaveLength(1);
  expect(errors[0]).toMatch(/^error: pubsub: no credentials and no emulator: set GOOGLE_APPLICATION_CREDENTIALS/);
  expect(command.stderr).not.toMatch(/unhandled|^ +at /im);
  expect(connections).toBe(0);
});
