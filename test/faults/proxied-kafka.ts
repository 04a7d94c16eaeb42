import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startKafka, type KafkaCluster, type KafkaNode } from "../../scripts/brokers/kafka.ts";
import { freePorts } from "../../scripts/brokers/ports.ts";
import { Proxy } from "./proxy.ts";

/** One broker that is reached in two ways: through a proxy, for those that a fault is to strike, and past it, for all others. */
export interface ProxiedKafka {
  readonly cluster: KafkaCluster;
  readonly node: KafkaNode;
  readonly proxy: Proxy;
  /** For those that go through the proxy. */
  readonly proxied: readonly string[];
  /** For those that go past it. */
  readonly direct: readonly string[];
  stop(): Promise<void>;
}

export async function startProxiedKafka(config: Readonly<Record<string, string>> = {}): Promise<ProxiedKafka> {
  const proxy = await Proxy.open();
  const cluster = await startKafka({
    config: {
      ...config,
      "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT",
    },
  });
  const [node] = cluster.nodes;
  const [port] = await freePorts(1);
  if (node === undefined || port === undefined) throw new Error("a cluster has a node, and the machine a port");
  proxy.towards(port);
  await node.kill("SIGKILL");
  // Ports are chosen when a cluster starts: only now can another one be added.
  const file = join(node.dir, "server.properties");
  const properties = readFileSync(file, "utf8")
    .replace(/^listeners=.*/m, `$&,PROXIED://127.0.0.1:${port}`)
    .replace(/^advertised\.listeners=.*/m, `$&,PROXIED://127.0.0.1:${proxy.port}`);
  writeFileSync(file, properties);
  await node.start();
  return {
    cluster,
    node,
    proxy,
    proxied: [`127.0.0.1:${proxy.port}`],
    direct: cluster.brokers,
    stop: async () => {
      await proxy.close();
      await cluster.stop();
    },
  };
}
