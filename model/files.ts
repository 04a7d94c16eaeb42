/** Which half of Fashion-MNIST: 60,000 images to train on, 10,000 to test with. */
export type Split = "train" | "test";

/** One of the four files of Fashion-MNIST, as published: IDX, gzip. */
export interface DataFile {
  readonly name: string;
  /** Size of the compressed file, bytes. */
  readonly sizeBytes: number;
  /** SHA-256 of the compressed file, lower-case hex. */
  readonly sha256: string;
}

/**
 * The files of each split.
 *
 * Source: the files of zalandoresearch/fashion-mnist (folder data/fashion), whose MD5 sums are those that its README
 * publishes; the SHA-256 sums were computed from them.
 */
export const dataFiles: Readonly<
  Record<Split, { readonly count: number; readonly images: DataFile; readonly labels: DataFile }>
> = {
  train: {
    count: 60_000,
    images: {
      name: "train-images-idx3-ubyte.gz",
      sizeBytes: 26_421_880,
      sha256: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    },
    labels: {
      name: "train-labels-idx1-ubyte.gz",
      sizeBytes: 29_515,
      sha256: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    },
  },
  test: {
    count: 10_000,
    images: {
      name: "t10k-images-idx3-ubyte.gz",
      sizeBytes: 4_422_102,
      sha256: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    },
    labels: {
      name: "t10k-labels-idx1-ubyte.gz",
      sizeBytes: 5_148,
      sha256: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
  },
};

/**
 * Where the files are published: the folder of the project's repository, and the bucket that its README links to.
 *
 * The second speaks no TLS: what it sends is believed only because of the SHA-256 sums above.
 */
export const officialUrls: readonly string[] = [
  "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
  "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
];
