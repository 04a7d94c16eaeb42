import { existsSync } from "node:fs";
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";
import { skipped } from "../integration/plain-clients.ts";

const executablePath = process.env["CHROMIUM"] || "/usr/bin/chromium";

/** Whether there is no Chromium, said in a line; under `CI=true` it throws. */
export function noChromium(): boolean {
  return (
    !existsSync(executablePath) &&
    skipped(`the page in Chromium (none at ${executablePath}: apt-get install chromium, or set CHROMIUM to its path)`)
  );
}

export async function openChromium(): Promise<Browser> {
  // Chromium's sandbox refuses to work for root.
  return chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] });
}

/** The page in a context of its own. */
export interface Visit {
  readonly page: Page;
  /** Errors in the console: exceptions, refusals by the content security policy, answers that are errors. */
  readonly complaints: readonly string[];
}

/** Opens the page. Errors in the console that match `expected` are no complaints. */
export async function visit(
  browser: Browser,
  address: string,
  { expected, ...options }: BrowserContextOptions & { readonly expected?: RegExp } = {},
): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width: 1_280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const complaints: string[] = [];
  const complain = (text: string): void => {
    if (expected?.test(text) !== true) complaints.push(text);
  };
  page.on("console", (message) => {
    if (message.type() === "error") complain(message.text());
  });
  page.on("pageerror", (error) => complain(String(error)));
  await page.goto(address);
  return { page, complaints };
}

/** Fills in the form and sends it. */
export async function startRun(page: Page, start: number, end: number): Promise<void> {
  await page.getByLabel("First image").fill(String(start));
  await page.getByLabel("End (not included)").fill(String(end));
  await page.getByRole("button", { name: "Run", exact: true }).click();
}

/** Resolves when the page says that this run is done. */
export async function untilDone(page: Page, start: number, end: number): Promise<void> {
  await page.getByText(new RegExp(`^Run \\[${start}, ${end}\\) on \\w+ is done`)).waitFor();
}

/** Labels that the grid shows, in its order. */
export async function shownLabels(page: Page): Promise<string[]> {
  return page.locator("#grid strong").allTextContents();
}
