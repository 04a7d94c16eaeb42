import { describe, expect, test } from "vitest";
import { progressBar } from "../../../model/progress-bar.ts";

function written(isTTY: boolean, use: (bar: ReturnType<typeof progressBar>) => void): string {
  let text = "";
  use(progressBar("Downloading", 4_400_000, { isTTY, write: (part) => (text += part) }));
  return text;
}

describe("progressBar", () => {
  test("writes one plain line where there is no terminal", () => {
    const text = written(false, (bar) => {
      bar.update(0);
      bar.update(2_200_000);
      bar.update(4_400_000);
      bar.end();
    });
    expect(text).toBe("Downloading (4.4 MB)\n");
  });

  test("draws over one line on a terminal, and always the end", () => {
    const text = written(true, (bar) => {
      bar.update(0);
      bar.update(1); // too soon to be seen
      bar.update(4_400_000);
      bar.end();
    });
    expect(text).toBe(`\rDownloading [${"░".repeat(30)}] 0.0 / 4.4 MB\rDownloading [${"█".repeat(30)}] 4.4 / 4.4 MB\n`);
  });

  test("writes nothing when nothing comes", () => {
    expect(written(true, (bar) => bar.end())).toBe("");
    expect(written(false, (bar) => bar.end())).toBe("");
  });
});
