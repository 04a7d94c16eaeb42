/** One node of a cluster whose nodes are brokers and controllers both. */
export interface NodeAddress {
  readonly id: number;
  readonly port: number;
  readonly controllerPort: number;
  readonly dir: string;
}

/** Added to a node's `server.properties`, over what is there. */
export type NodeConfig = Readonly<Record<string, string>> | ((node: NodeAddress) => Readonly<Record<string, string>>);

/** What a node needs for a listener beside its own two. @param advertised port that clients are told, when it is another one */
export function withListener(
  { port, controllerPort }: NodeAddress,
  listener: { readonly name: string; readonly protocol: string; readonly port: number; readonly advertised?: number },
): Readonly<Record<string, string>> {
  const { name, protocol, advertised = listener.port } = listener;
  const own = `PLAINTEXT://127.0.0.1:${port}`;
  return {
    listeners: `${own},CONTROLLER://127.0.0.1:${controllerPort},${name}://127.0.0.1:${listener.port}`,
    "advertised.listeners": `${own},${name}://127.0.0.1:${advertised}`,
    "listener.security.protocol.map": `PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,${name}:${protocol}`,
  };
}

/** The node's `server.properties`. */
export function serverProperties(node: NodeAddress, all: readonly NodeAddress[], config: NodeConfig): string {
  const replicas = Math.min(3, all.length);
  const properties = {
    "node.id": node.id,
    "process.roles": "broker,controller",
    listeners: `PLAINTEXT://127.0.0.1:${node.port},CONTROLLER://127.0.0.1:${node.controllerPort}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${node.port}`,
    "controller.listener.names": "CONTROLLER",
    "controller.quorum.voters": all.map(({ id, controllerPort }) => `${id}@127.0.0.1:${controllerPort}`).join(","),
    "log.dirs": `${node.dir}/data`,
    "auto.create.topics.enable": false,
    "group.min.session.timeout.ms": 100,
    "group.initial.rebalance.delay.ms": 0,
    "offsets.topic.num.partitions": 3,
    "offsets.topic.replication.factor": replicas,
    "transaction.state.log.num.partitions": 3,
    "transaction.state.log.replication.factor": replicas,
    "transaction.state.log.min.isr": Math.max(1, replicas - 1),
    "share.coordinator.state.topic.num.partitions": 3,
    "share.coordinator.state.topic.replication.factor": replicas,
    "share.coordinator.state.topic.min.isr": Math.max(1, replicas - 1),
    ...(typeof config === "function" ? config(node) : config),
  };
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}
