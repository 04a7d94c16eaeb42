import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError } from "millrace";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { downloadFile } from "../../../model/download.ts";
import {
  brokenAfter,
  cutShort,
  dataFile,
  type FileHost,
  fileHost,
  silence,
  status,
  whole,
  withoutRanges,
} from "./file-host.ts";

const content = Uint8Array.from({ length: 100_000 }, (_, index) => (index * index) % 251);
const file = dataFile(content);
const wrong = content.map((byte) => byte ^ 1);

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "millrace-download-"));
});
afterEach(() => rm(directory, { recursive: true }));

const download = (...hosts: readonly FileHost[]): Promise<string> =>
  downloadFile(file, directory, { baseUrls: hosts.map(({ url }) => url), connectTimeoutMs: 150, idleTimeoutMs: 150 });

async function expectWholeFile(path: string): Promise<void> {
  expect(await readdir(directory)).toEqual(["file.gz"]);
  expect(Buffer.compare(await readFile(path), content)).toBe(0);
}

describe("downloadFile", () => {
  test("writes the whole file under its name, and tells how far it is", async () => {
    await using host = await fileHost(whole(content));
    const received: number[] = [];
    const onProgress = ({ receivedBytes }: { receivedBytes: number }): void => void received.push(receivedBytes);
    await expectWholeFile(await downloadFile(file, directory, { baseUrls: [host.url], onProgress }));
    expect([received[0], received.at(-1)]).toEqual([0, content.length]);
  });

  test("makes the folder", async () => {
    await using host = await fileHost(whole(content));
    const path = await downloadFile(file, join(directory, "a", "b"), { baseUrls: [host.url] });
    expect(path).toBe(join(directory, "a", "b", "file.gz"));
  });

  test("continues what an interrupted download left", async () => {
    await writeFile(join(directory, "file.gz.part"), content.subarray(0, 40_000));
    await using host = await fileHost(whole(content));
    await expectWholeFile(await download(host));
    expect(host.ranges).toEqual(["bytes=40000-"]);
  });

  test("continues by itself when a response is cut short", async () => {
    await using host = await fileHost(cutShort(30_000, content), whole(content));
    await expectWholeFile(await download(host));
    expect(host.ranges).toEqual(["", "bytes=30000-"]);
  });

  test("continues by itself when the connection breaks on the way", async () => {
    await using host = await fileHost(brokenAfter(30_000, content), whole(content));
    await expectWholeFile(await download(host));
    expect(host.ranges).toHaveLength(2);
  });

  test("gives up a connection that breaks again and again", async () => {
    await using host = await fileHost(brokenAfter(30_000, content));
    await expect(download(host)).rejects.toThrow(`${host.url}file.gz: `);
    expect(host.ranges).toHaveLength(4);
  });

  test("begins anew where the host can't continue", async () => {
    await writeFile(join(directory, "file.gz.part"), content.subarray(0, 40_000));
    await using host = await fileHost(withoutRanges(content));
    await expectWholeFile(await download(host));
    expect(host.ranges).toEqual(["bytes=40000-"]);
  });

  test("asks for nothing when an interrupted download left all bytes", async () => {
    await writeFile(join(directory, "file.gz.part"), content);
    await using host = await fileHost(status(500));
    await expectWholeFile(await download(host));
    expect(host.ranges).toEqual([]);
  });

  test("begins anew, once, when what was left was wrong", async () => {
    await writeFile(join(directory, "file.gz.part"), wrong.subarray(0, 40_000));
    await using host = await fileHost(whole(content));
    await expectWholeFile(await download(host));
    expect(host.ranges).toEqual(["bytes=40000-", ""]);
  });

  test("refuses wrong bytes and leaves no file", async () => {
    await using host = await fileHost(whole(wrong));
    await expect(download(host)).rejects.toThrow(`${host.url}file.gz: wrong SHA-256: expected ${file.sha256}, got `);
    expect(await readdir(directory)).toEqual([]);
  });

  test("refuses more bytes than the file has", async () => {
    await using host = await fileHost(whole(Uint8Array.of(...content, 0)));
    await expect(download(host)).rejects.toThrow("wrong SHA-256");
    expect(await readdir(directory)).toEqual([]);
  });

  test("keeps what has come when the rest can't be had, under the name of a part", async () => {
    await using host = await fileHost(cutShort(30_000, content), status(503));
    await expect(download(host)).rejects.toThrow("HTTP 503 Service Unavailable");
    expect(await readdir(directory)).toEqual(["file.gz.part"]);
    expect((await readFile(join(directory, "file.gz.part"))).length).toBe(30_000);
  });

  test("takes the next host when one fails, and names each reason when all do", async () => {
    await using broken = await fileHost(status(404));
    await using good = await fileHost(whole(content));
    await expectWholeFile(await download(broken, good));
    await rm(join(directory, "file.gz"));
    await using silent = await fileHost(silence);
    await expect(download(broken, silent)).rejects.toThrow(
      new ConfigError(
        `file.gz can't be downloaded: ${broken.url}file.gz: HTTP 404 Not Found; ${silent.url}file.gz: no answer within 150 ms`,
      ),
    );
  });

  test("gives up a connection that goes silent", async () => {
    await using host = await fileHost((_, response) => {
      response.writeHead(200, { "content-length": content.length });
      response.write(content.subarray(0, 10));
    });
    await expect(download(host)).rejects.toThrow("the connection went silent within 150 ms");
    expect(host.ranges).toHaveLength(1);
  });

  test("says that a host can't be reached", async () => {
    const host = await fileHost(silence);
    await host[Symbol.asyncDispose]();
    await expect(download(host)).rejects.toThrow("ECONNREFUSED");
  });
});
