import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** What becomes of what the broker answers. */
type Mode = "pass" | "hole";

/** A request that is waited for, and what to do when it comes. */
interface Hold {
  readonly what: "request" | "answer";
  readonly which: (request: Buffer) => boolean;
  readonly struck: (release: () => void) => void;
}

/** A proxy on the loopback interface, between a client and a broker, that does to connections what networks do. */
export class Proxy {
  /** Connections that were cut. */
  cuts = 0;
  private readonly server: Server;
  private readonly pairs = new Set<readonly [Socket, Socket]>();
  private mode: Mode = "pass";
  private swallowing: ((request: Buffer) => boolean) | undefined = undefined;
  private cutting: ((request: Buffer) => boolean) | undefined = undefined;
  private readonly holds: Hold[] = [];
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

  /** Lets new connections through, and all that they say; those that there are, of a black hole or not, are cut. */
  mend(): void {
    this.mode = "pass";
    this.swallowing = undefined;
    this.holds.length = 0;
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

  /** Cuts the connection of the next request for which `which` holds; the broker does not get it. */
  cutAt(which: (request: Buffer) => boolean): void {
    this.cutting = which;
  }

  /**
   * Holds back the next request for which `which` holds, and all behind it on its connection. Resolves then, with what lets them go.
   *
   * Several may be armed: each takes one request.
   */
  hold(which: (request: Buffer) => boolean): Promise<() => void> {
    return new Promise((struck) => this.holds.push({ what: "request", which, struck }));
  }

  /** As `hold`, but the request goes through, and its answer is held back. Resolves when the broker has answered. */
  holdAnswerTo(which: (request: Buffer) => boolean): Promise<() => void> {
    return new Promise((struck) => this.holds.push({ what: "answer", which, struck }));
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
    const requests = new Requests();
    const [there, back] = [new Way(broker), new Way(client)];
    let swallow = false;
    let answered: Hold["struck"] | undefined;
    const end = (): void => {
      this.pairs.delete(pair);
      for (const socket of pair) socket.destroy();
    };
    for (const socket of pair) socket.on("error", end).on("close", end);
    client.on("data", (bytes: Buffer) => {
      if (this.mode === "hole") return;
      for (const request of requests.take(bytes)) {
        if (this.cutting?.(request) === true) {
          this.cutting = undefined;
          this.cuts += 1;
          return end();
        }
        if (this.swallowing?.(request) === true) {
          this.swallowing = undefined;
          swallow = true;
        }
        const hold = this.holdOf(request);
        if (hold?.what === "request") hold.struck(there.shut());
        else if (hold !== undefined) answered = hold.struck;
        there.pass(request);
      }
    });
    broker.on("data", (bytes: Buffer) => {
      if (this.mode === "hole") return;
      if (swallow) {
        this.cuts += 1;
        return end();
      }
      answered?.(back.shut());
      answered = undefined;
      back.pass(bytes);
    });
  }

  private holdOf(request: Buffer): Hold | undefined {
    const place = this.holds.findIndex(({ which }) => which(request));
    return place < 0 ? undefined : this.holds.splice(place, 1)[0];
  }
}

/** One direction of a connection; while it is shut, it keeps what comes. */
class Way {
  private readonly to: Socket;
  private kept: Buffer[] | undefined = undefined;

  constructor(to: Socket) {
    this.to = to;
  }

  pass(bytes: Buffer): void {
    if (this.kept === undefined) this.to.write(bytes);
    else this.kept.push(bytes);
  }

  /** Gives what opens it again. */
  shut(): () => void {
    const kept: Buffer[] = (this.kept = []);
    return () => {
      this.kept = undefined;
      for (const bytes of kept) this.to.write(bytes);
    };
  }
}

/** Puts the requests of a connection together again, which TCP cuts anywhere. */
class Requests {
  private bytes = Buffer.alloc(0);

  *take(chunk: Buffer): Generator<Buffer> {
    this.bytes = Buffer.concat([this.bytes, chunk]);
    while (this.bytes.length >= 4) {
      const end = 4 + this.bytes.readInt32BE(0);
      if (this.bytes.length < end) return;
      yield this.bytes.subarray(0, end);
      this.bytes = this.bytes.subarray(end);
    }
  }
}

/**
 * True for a request of Kafka's protocol with this API key, of this client or of any: 0 Produce, 1 Fetch, 8 OffsetCommit, 9 OffsetFetch, 11 JoinGroup,
 * 12 Heartbeat, 13 LeaveGroup, 22 InitProducerId, 25 AddOffsetsToTxn, 26 EndTxn, 28 TxnOffsetCommit.
 */
export function isRequest(apiKey: number, clientId?: string): (request: Buffer) => boolean {
  return (request) =>
    request.length >= 14 &&
    request.readInt16BE(4) === apiKey &&
    (clientId === undefined || clientIdOf(request) === clientId);
}

function clientIdOf(request: Buffer): string {
  const length = Math.max(0, request.readInt16BE(12)); // -1: none
  return request.toString("utf8", 14, 14 + length);
}
