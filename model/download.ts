import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { ConfigError, messageOf } from "millrace";
import type { DataFile } from "./files.ts";

/** How far the download of one file is. */
export interface DownloadProgress {
  readonly file: DataFile;
  /** The address that is read from. */
  readonly url: string;
  /** Bytes on disk, those of an earlier, interrupted download included. */
  readonly receivedBytes: number;
}

/** Where a file is to be had, and how long to wait for it. */
export interface DownloadOptions {
  /** Folders on the web that have the file; tried in this order. At least one, each ending in `/`. */
  readonly baseUrls: readonly string[];
  /** Time that a host has until its response begins, milliseconds. Minimum 1. @default 3_000 */
  readonly connectTimeoutMs?: number;
  /** Time without a byte after which a download is given up, milliseconds. Minimum 1. @default 15_000 */
  readonly idleTimeoutMs?: number;
  /** Told when a response begins, after each chunk, and at the end. */
  readonly onProgress?: (progress: DownloadProgress) => void;
}

/**
 * Times that one address is asked again for the rest of a file, when the connection broke after the response had begun.
 */
const resumptions = 3;

/**
 * Downloads a file into a folder (made if need be) and resolves to its path there.
 *
 * Bytes collect in `<name>.part`. That is renamed to `<name>` when its SHA-256 is right: `<name>` is never half a file.
 * A `.part` that an interrupted download left is continued, if the host can do that, also by the next call.
 *
 * Errors: `ERR_CONFIG` when no address gave the file: the message has each one's reason (no answer, HTTP status, cut
 * short, wrong SHA-256).
 */
export async function downloadFile(file: DataFile, directory: string, options: DownloadOptions): Promise<string> {
  await mkdir(directory, { recursive: true });
  const target = join(directory, file.name);
  const part = `${target}.part`;
  const reasons: string[] = [];
  for (const baseUrl of options.baseUrls) {
    const url = new URL(file.name, baseUrl).href;
    try {
      await fetchWhole(file, url, part, options);
      await rename(part, target);
      return target;
    } catch (cause) {
      reasons.push(`${url}: ${reasonOf(cause)}`);
    }
  }
  throw new ConfigError(`${file.name} can't be downloaded: ${reasons.join("; ")}`);
}

/** Resolves when `part` has all bytes, and the right ones. A `part` with wrong bytes is removed. */
async function fetchWhole(file: DataFile, url: string, part: string, options: DownloadOptions): Promise<void> {
  let hasEarlierBytes = (await sizeOf(part)) > 0;
  let breaks = 0;
  for (;;) {
    const before = await sizeOf(part);
    try {
      if (before < file.sizeBytes) await fetchRest(file, url, part, before, options);
    } catch (cause) {
      breaks += 1;
      if (!(cause instanceof BrokenConnection) || breaks > resumptions) throw cause;
      continue;
    }
    const sha256 = await sha256Of(part);
    if (sha256 === file.sha256) return;
    await rm(part);
    if (!hasEarlierBytes) throw new Error(`wrong SHA-256: expected ${file.sha256}, got ${sha256}`);
    hasEarlierBytes = false; // they may be to blame: once more, from the start
  }
}

/** The connection ended before all had come: the rest may be had from a new one. */
class BrokenConnection extends Error {}

/**
 * One request: appends to `part` what the host sends from byte `before` on, or begins anew where the host can't
 * continue.
 */
async function fetchRest(
  file: DataFile,
  url: string,
  part: string,
  before: number,
  options: DownloadOptions,
): Promise<void> {
  const watchdog = new Watchdog();
  watchdog.expectWithin(options.connectTimeoutMs ?? 3_000, "no answer");
  try {
    const headers = { "accept-encoding": "identity", ...(before > 0 && { range: `bytes=${before}-` }) };
    const response = await fetch(url, { headers, signal: watchdog.signal });
    if (response.status === 416) await rm(part, { force: true });
    if (!response.ok || response.body === null)
      throw new Error(`HTTP ${response.status} ${response.statusText}`.trim());
    const isContinued =
      response.status === 206 && response.headers.get("content-range")?.startsWith(`bytes ${before}-`) === true;
    await using sink = await openPart(part, isContinued);
    let receivedBytes = isContinued ? before : 0;
    options.onProgress?.({ file, url, receivedBytes });
    for await (const chunk of unbroken(response.body, watchdog.signal)) {
      watchdog.expectWithin(options.idleTimeoutMs ?? 15_000, "the connection went silent");
      await sink.handle.appendFile(chunk);
      receivedBytes += chunk.length;
      options.onProgress?.({ file, url, receivedBytes });
      if (receivedBytes > file.sizeBytes) return; // its SHA-256 will be wrong
    }
    await sink.handle.sync();
    if (receivedBytes < file.sizeBytes) {
      throw new BrokenConnection(`cut short: expected ${file.sizeBytes} bytes, got ${receivedBytes}`);
    }
  } finally {
    watchdog.stop();
  }
}

/** The chunks of a body. Its errors come as `BrokenConnection`, except where `signal` was the cause. */
async function* unbroken(body: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (cause) {
    throw signal.aborted ? cause : new BrokenConnection(reasonOf(cause), { cause });
  }
}

async function openPart(part: string, isContinued: boolean): Promise<{ handle: FileHandle } & AsyncDisposable> {
  const handle = await open(part, isContinued ? "a" : "w");
  return { handle, [Symbol.asyncDispose]: () => handle.close() };
}

/** Aborts its signal, with a reason in words, when what is expected does not come in time. */
class Watchdog {
  readonly #controller = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  expectWithin(ms: number, reason: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#controller.abort(new Error(`${reason} within ${ms} ms`)), ms);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#controller.abort(new Error("stopped")); // closes a connection whose body was not read to its end
  }
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    (found) => found.size,
    () => 0,
  );
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}

/** `fetch` says only "fetch failed"; the reason is in its cause. */
function reasonOf(cause: unknown): string {
  const isWrapped = cause instanceof TypeError && cause.cause !== undefined;
  return messageOf(isWrapped ? cause.cause : cause) || "connection failed";
}
