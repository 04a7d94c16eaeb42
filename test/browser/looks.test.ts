import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import axe from "axe-core";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { noChromium, openChromium, startRun, untilDone, visit } from "./chromium.ts";
import { Service } from "./service.ts";

/** Where the screenshots go, to be looked at. */
const folder = join(tmpdir(), "millrace-page");

/** What is used of axe's report. */
interface Report {
  readonly violations: readonly {
    readonly id: string;
    readonly nodes: readonly { readonly target: unknown; readonly failureSummary: string }[];
  }[];
}

describe.skipIf(noChromium())("the page's looks", () => {
  let browser: Browser;
  let service: Service;

  beforeAll(async () => {
    mkdirSync(folder, { recursive: true });
    [browser, service] = await Promise.all([openChromium(), Service.start()]);
  });
  afterAll(async () => {
    await browser.close();
    await service.stop();
  });

  const kinds = [1_280, 390].flatMap((width) =>
    (["light", "dark"] as const).map((colorScheme) => ({ width, colorScheme })),
  );

  test.each(kinds)("can be used by all at $width px, $colorScheme", async ({ width, colorScheme }) => {
    const viewport = { width, height: 900 };
    const options = { viewport, colorScheme, reducedMotion: "reduce", expected: /status of 400/ } as const;
    const { page, complaints } = await visit(browser, service.address, options);
    await startRun(page, 0, 300);
    await untilDone(page, 0, 300);
    await startRun(page, 7, 7);
    await page.getByRole("alert").getByText("range [7, 7)").waitFor();
    await page
      .getByText(/\/s · \d+ % busy/)
      .first()
      .waitFor();
    await page.screenshot({ path: join(folder, `${width}-${colorScheme}.png`), fullPage: true });
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate<Report>("axe.run()");
    expect(violations.map(({ id, nodes }) => [id, nodes.map(({ failureSummary }) => failureSummary)])).toEqual([]);
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(width);
    expect(complaints).toEqual([]);
  });
});
