import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** What becomes of what the broker answers. */
type Mode = "pass" | "hole";

/** A proxy on the loopback interface, between a client and a broker, that does to connections what networks do. */
export class Proxy {
  /** Connections that were cut. */
  cuts = 0;
  private readonly server: Server;
  private readonly pairs = new Set<readonly [Socket, Socket]>();
  private mode: Mode = "pass";
  private swallowing: ((request: Buffer) => boolean) | undefined = undefined;
  private holding:
    | { readonly which: (request: Buffer) => boolean; readonly struck: (release: () => void) => void }
    | undefined = undefined;
  private target = 0;

  private constructor() {
    this.server = createServer((client) => this.join(client));
  }

  /** Listens on a free port. */
  static async open(): Promise<Proxy> {
    const proxy = new Proxy();
    proxy.server.listen(0, "127.0.0.1");
    await once(proxy.server, "listening");
    return proxy;
  }

  get port(): number {
    // A server that listens on a port has an address of this kind.
    return (this.server.address() as AddressInfo).port;
  }

  /** Port of the broker. */
  towards(port: number): void {
    this.target = port;
  }

  /** From now on nothing gets through, and nobody is told. */
  blackHole(): void {
    this.mode = "hole";
  }

  /** Lets new connections through; those of the black hole are cut. */
  mend(): void {
    this.mode = "pass";
    this.cut();
  }

  /** Ends every connection. */
  cut(): void {
    for (const pair of this.pairs) {
      this.cuts += 1;
      for (const socket of pair) socket.destroy();
    }
  }

  /** Lets the next request for which `which` holds through, and cuts its connection when the broker answers: the answer is lost. */
  swallowAnswerTo(which: (request: Buffer) => boolean): void {
    this.swallowing = which;
  }

  /** Holds back the next request for which `which` holds, and all behind it on its connection. Resolves then, with what lets them go. */
  hold(which: (request: Buffer) => boolean): Promise<() => void> {
    return new Promise((struck) => {
      this.holding = { which, struck };
    });
  }

  async close(): Promise<void> {
    this.cut();
    this.server.close();
    await once(this.server, "close");
  }

  private join(client: Socket): void {
    const broker = connect(this.target, "127.0.0.1");
    const pair = [client, broker] as const;
    this.pairs.add(pair);
    let swallow = false;
    let held: Buffer[] | undefined;
    const end = (): void => {
      this.pairs.delete(pair);
      for (const socket of pair) socket.destroy();
    };
    for (const socket of pair) socket.on("error", end).on("close", end);
    client.on("data", (bytes: Buffer) => {
      if (this.mode === "hole") return;
      if (this.swallowing?.(bytes) === true) {
        this.swallowing = undefined;
        swallow = true;
      }
      if (held === undefined && this.holding?.which(bytes) === true) {
        held = [];
        this.holding.struck(() => {
          for (const part of held ?? []) broker.write(part);
          held = undefined;
        });
        this.holding = undefined;
      }
      if (held === undefined) broker.write(bytes);
      else held.push(bytes);
    });
    broker.on("data", (bytes: Buffer) => {
      if (this.mode === "hole") return;
      if (swallow) {
        this.cuts += 1;
        end();
      } else client.write(bytes);
    });
  }
}

/** True for a request of Kafka's protocol with this API key: 0 Produce, 26 EndTxn. */
export function isRequest(apiKey: number): (request: Buffer) => boolean {
  return (request) => request.length > 6 && request.readInt16BE(4) === apiKey;
}
