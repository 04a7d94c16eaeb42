import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { DataFile } from "../../../model/files.ts";

/**
 * A web server on the loopback interface that answers each request with the next of the given answers, then with the
 * last one again.
 */
export interface FileHost extends AsyncDisposable {
  /** The address of its folder, ending in `/`. */
  readonly url: string;
  /** The `Range` header of each request so far; "" for none. */
  readonly ranges: readonly string[];
}

/** Answers one request. */
export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** Starts a server; disposing it closes its connections too. */
export async function fileHost(...answers: readonly Answer[]): Promise<FileHost> {
  const ranges: string[] = [];
  const server = createServer((request, response) => {
    const answer = answers[Math.min(ranges.length, answers.length - 1)]!;
    ranges.push(request.headers.range ?? "");
    answer(request, response);
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // a TCP server has no other kind
  return {
    url: `http://127.0.0.1:${port}/`,
    ranges,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Sends the content from the byte on that is asked for. */
export function whole(content: Uint8Array): Answer {
  return (request, response) => {
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    if (from > 0) response.writeHead(206, { "content-range": `bytes ${from}-${content.length - 1}/${content.length}` });
    response.end(content.subarray(from));
  };
}

/** Promises the content, and ends the connection after some of it. */
export function brokenAfter(sizeBytes: number, content: Uint8Array): Answer {
  return (_, response) => {
    response.writeHead(200, { "content-length": content.length });
    response.write(content.subarray(0, sizeBytes));
    response.socket?.end();
  };
}

/** Sends some of the content and ends the response as if that were all. */
export function cutShort(sizeBytes: number, content: Uint8Array): Answer {
  return (_, response) => response.end(content.subarray(0, sizeBytes));
}

/** Sends the content from its begin, whatever part is asked for. */
export function withoutRanges(content: Uint8Array): Answer {
  return (_, response) => response.end(content);
}

/** Answers with a status and no file. */
export function status(code: number): Answer {
  return (_, response) => response.writeHead(code).end("no");
}

/** Never answers. */
export const silence: Answer = () => {};

/** A file of the data set with this content, as the download is told of it. */
export function dataFile(content: Uint8Array): DataFile {
  return { name: "file.gz", sizeBytes: content.length, sha256: createHash("sha256").update(content).digest("hex") };
}
