/** Where a progress bar is written: `process.stderr`, or anything like it. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** Shows how much of something has come. */
export interface ProgressBar {
  /** Tells the amount so far, bytes. */
  update(receivedBytes: number): void;
  /** Ends the line of the bar. */
  end(): void;
}

const width = 30;
const redrawMs = 100;

/**
 * A bar of one line on a terminal, `title [█████░░░] 2.1 / 4.4 MB`; elsewhere one plain line when the first bytes come,
 * and nothing more.
 *
 * Without an `update` it writes nothing. It sets no timer.
 */
export function progressBar(title: string, totalBytes: number, stream: ProgressStream): ProgressBar {
  let drawnAt = Number.NEGATIVE_INFINITY;
  let isBegun = false;
  const draw = (receivedBytes: number): void => {
    const filled = Math.min(width, Math.round((width * receivedBytes) / totalBytes));
    const bar = "█".repeat(filled) + "░".repeat(width - filled);
    stream.write(`\r${title} [${bar}] ${megabytes(receivedBytes)} / ${megabytes(totalBytes)} MB`);
  };
  return {
    update(receivedBytes) {
      if (stream.isTTY !== true) {
        if (!isBegun) stream.write(`${title} (${megabytes(totalBytes)} MB)\n`);
      } else if (performance.now() - drawnAt >= redrawMs || receivedBytes >= totalBytes) {
        draw(receivedBytes);
        drawnAt = performance.now();
      }
      isBegun = true;
    },
    end() {
      if (isBegun && stream.isTTY === true) stream.write("\n");
    },
  };
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
