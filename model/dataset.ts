import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { ConfigError, messageOf } from "millrace";
import { imageSide } from "./image-shape.ts";
import { downloadFile } from "./download.ts";
import { type DataFile, dataFiles, officialUrls, type Split } from "./files.ts";
import { readIdx } from "./idx.ts";
import { progressBar, type ProgressStream } from "./progress-bar.ts";

/** Images with the classes that people gave them. */
export interface LabelledImages {
  /** Pixels, one byte each: image `i` is the 784 bytes from `i * 784`, row by row, 0 = background. */
  readonly images: Uint8Array;
  /** Class index 0..9 of each image, see `labels.ts`. */
  readonly labels: Uint8Array;
  /** `synthetic` images are drawn by `synthetic.ts`, and stand in for the data set where it can't be had. */
  readonly source: "fashion-mnist" | "synthetic";
}

/** Which images, and where from. */
export interface DatasetOptions {
  /** `train`: 60,000 images, a download of 26 MB. `test`: 10,000 images, 4.4 MB. */
  readonly split: Split;
  /**
   * Folder that has the published `.gz` files; nothing is downloaded then. @default the environment variable
   * `FASHION_MNIST_DIR`
   */
  readonly directory?: string;
  /** Folder that downloads are kept in. @default `millrace/fashion-mnist` in `$XDG_CACHE_HOME`, or in `~/.cache` */
  readonly cacheDirectory?: string;
  /** Folders on the web that have the files, each ending in `/`; tried in order. @default `officialUrls` */
  readonly baseUrls?: readonly string[];
  /** Time that a host has until its response begins, milliseconds. Minimum 1. @default 3_000 */
  readonly connectTimeoutMs?: number;
  /** Where a download shows its progress. @default `process.stderr` */
  readonly progress?: ProgressStream;
}

/**
 * Reads one split of Fashion-MNIST: from the folder that the options or `FASHION_MNIST_DIR` name, else from the cache,
 * else from the web into the cache. The SHA-256 of each file is checked wherever it comes from; a file in the cache
 * that is wrong is downloaded again.
 *
 * Errors: `ERR_CONFIG` when a named folder lacks a file, when a file there is not the published one, or when no host
 * gave the files.
 * Source: Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747.
 */
export async function loadFashionMnist(options: DatasetOptions): Promise<LabelledImages> {
  const directory = namedDirectory(options);
  if (directory !== undefined) return readSplit(directory, options.split);
  const cache = options.cacheDirectory ?? defaultCacheDirectory();
  const found = await readSplit(cache, options.split).catch(() => undefined);
  if (found !== undefined) return found;
  await downloadSplit(cache, options);
  return readSplit(cache, options.split);
}

/** The folder that the caller or the environment names, `undefined` when neither does. */
export function namedDirectory(options: Pick<DatasetOptions, "directory">): string | undefined {
  return options.directory ?? (process.env["FASHION_MNIST_DIR"] || undefined);
}

function defaultCacheDirectory(): string {
  return join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "millrace", "fashion-mnist");
}

/** Downloads the files of a split that the folder lacks or has wrong, with one progress bar for all. */
async function downloadSplit(directory: string, options: DatasetOptions): Promise<void> {
  const { images, labels } = dataFiles[options.split];
  const missing: DataFile[] = [];
  for (const file of [labels, images]) {
    const isThere = await readChecked(directory, file).then(
      () => true,
      () => false,
    );
    if (!isThere) missing.push(file);
  }
  const totalBytes = missing.reduce((total, file) => total + file.sizeBytes, 0);
  const bar = progressBar(
    `Downloading Fashion-MNIST, ${options.split} images`,
    totalBytes,
    options.progress ?? process.stderr,
  );
  let doneBytes = 0;
  try {
    for (const file of missing) {
      await downloadFile(file, directory, {
        baseUrls: options.baseUrls ?? officialUrls,
        ...(options.connectTimeoutMs !== undefined && { connectTimeoutMs: options.connectTimeoutMs }),
        onProgress: ({ receivedBytes }) => bar.update(doneBytes + receivedBytes),
      });
      doneBytes += file.sizeBytes;
    }
  } finally {
    bar.end();
  }
}

async function readSplit(directory: string, split: Split): Promise<LabelledImages> {
  const { count, images, labels } = dataFiles[split];
  const pixels = readIdx(await readChecked(directory, images), [count, imageSide, imageSide], images.name);
  const classes = readIdx(await readChecked(directory, labels), [count], labels.name);
  return { images: pixels.data, labels: classes.data, source: "fashion-mnist" };
}

/** The content of a file of the data set, decompressed. */
async function readChecked(directory: string, file: DataFile): Promise<Uint8Array> {
  const path = join(directory, file.name);
  const compressed = await readFile(path).catch((cause: unknown) => {
    throw new ConfigError(`Fashion-MNIST: can't read ${path}: ${messageOf(cause)}`, { cause });
  });
  const sha256 = createHash("sha256").update(compressed).digest("hex");
  if (sha256 !== file.sha256)
    throw new ConfigError(`Fashion-MNIST: ${path}: expected SHA-256 ${file.sha256}, got ${sha256}`);
  return promisify(gunzip)(compressed);
}
