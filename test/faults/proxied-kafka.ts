import { startKafka, type KafkaCluster, type KafkaNode } from "../../scripts/brokers/kafka.ts";
import { withListener } from "../../scripts/brokers/kafka-config.ts";
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
  const [port = 0] = await freePorts(1);
  proxy.towards(port);
  const cluster = await startKafka({
    config: (address) => ({
      ...config,
      ...withListener(address, { name: "PROXIED", protocol: "PLAINTEXT", port, advertised: proxy.port }),
    }),
  });
  const [node] = cluster.nodes;
  if (node === undefined) throw new Error("a cluster has a node");
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
