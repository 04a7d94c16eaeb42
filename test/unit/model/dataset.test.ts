import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type DatasetOptions, loadFashionMnist } from "../../../model/dataset.ts";
import { dataFiles } from "../../../model/files.ts";
import { loadTestSet } from "../../../model/test-set.ts";
import { type FileHost, fileHost, silence, status } from "./file-host.ts";

const { images, labels } = dataFiles.test;

let directory: string;
let host: FileHost;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "millrace-dataset-"));
  host = await fileHost(status(404));
  vi.stubEnv("FASHION_MNIST_DIR", "");
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await host[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

const quiet = { write: () => true };
const offline = (): Omit<DatasetOptions, "split"> => ({
  cacheDirectory: directory,
  baseUrls: [host.url],
  progress: quiet,
});

describe("loadFashionMnist", () => {
  test("says what a named folder lacks, and downloads nothing", async () => {
    const load = loadFashionMnist({ ...offline(), split: "test", directory });
    await expect(load).rejects.toMatchObject({
      code: "ERR_CONFIG",
      message: expect.stringContaining(`can't read ${join(directory, images.name)}`),
    });
    expect(host.ranges).toEqual([]);
  });

  test("takes the folder from the environment", async () => {
    vi.stubEnv("FASHION_MNIST_DIR", join(directory, "elsewhere"));
    await expect(loadFashionMnist({ ...offline(), split: "test" })).rejects.toThrow(
      join(directory, "elsewhere", images.name),
    );
  });

  test("refuses a file in a named folder that is not the published one", async () => {
    await Promise.all([images, labels].map(({ name }) => writeFile(join(directory, name), "other")));
    const load = loadFashionMnist({ split: "test", directory });
    await expect(load).rejects.toThrow(
      /: expected SHA-256 [0-9a-f]{64}, got d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa$/,
    );
  });

  test("downloads again what is wrong in the cache, the small file first", async () => {
    await Promise.all([images, labels].map(({ name }) => writeFile(join(directory, name), "other")));
    await expect(loadFashionMnist({ ...offline(), split: "test" })).rejects.toThrow(
      `${host.url}${labels.name}: HTTP 404`,
    );
    expect(host.ranges).toHaveLength(1);
  });

  test("keeps its cache where the environment says", async () => {
    vi.stubEnv("XDG_CACHE_HOME", directory);
    const { cacheDirectory: _, ...options } = offline();
    await expect(loadFashionMnist({ ...options, split: "test" })).rejects.toThrow("HTTP 404");
    await writeFile(join(directory, "millrace", "fashion-mnist", `${labels.name}.part`), "the folder is there");
  });

  test("gives a silent host the time that it is told, and no more", async () => {
    await using silent = await fileHost(silence);
    const load = loadFashionMnist({ ...offline(), split: "test", baseUrls: [silent.url], connectTimeoutMs: 50 });
    await expect(load).rejects.toThrow("no answer within 50 ms");
  });
});

describe("loadTestSet", () => {
  test("draws garments where the data set can't be had, and says so in one line", async () => {
    const warnings: string[] = [];
    const found = await loadTestSet({ ...offline(), allowSynthetic: true, warn: (line) => void warnings.push(line) });
    expect(found).toMatchObject({ source: "synthetic", labels: { length: 10_000 }, images: { length: 7_840_000 } });
    expect(warnings).toEqual([
      expect.stringMatching(/^SYNTHETIC IMAGES: Fashion-MNIST is not here \(.*HTTP 404.*\); 10000 drawn garments/),
    ]);
    expect(warnings[0]).not.toContain("\n");
  });

  test("draws nothing unless that is allowed", async () => {
    await expect(loadTestSet(offline())).rejects.toMatchObject({ code: "ERR_CONFIG" });
  });

  test("draws nothing in place of a named folder", async () => {
    await expect(loadTestSet({ ...offline(), directory, allowSynthetic: true })).rejects.toThrow("can't read");
  });
});
