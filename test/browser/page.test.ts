import { labels, loadTestSet, type LabelledImages } from "millrace/model";
import type { Browser, Page } from "playwright-core";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { noChromium, openChromium, shownLabels, startRun, untilDone, visit } from "./chromium.ts";
import { Service } from "./service.ts";

describe.skipIf(noChromium())("the page, on the embedded broker", () => {
  let browser: Browser;
  let service: Service;
  let set: LabelledImages;

  beforeAll(async () => {
    [browser, service, set] = await Promise.all([
      openChromium(),
      Service.start(),
      loadTestSet({ allowSynthetic: true, warn: () => {} }),
    ]);
    await service.printed(0, 10);
  });
  afterAll(async () => {
    await browser.close();
    await service.stop();
  });

  const truth = (start: number, end: number): (string | undefined)[] =>
    [...set.labels.subarray(start, end)].map((label) => labels[label]);

  const pictureOf = (image: number): string =>
    Buffer.from(set.images.subarray(image * 784, (image + 1) * 784)).toString("base64");

  test("works as a plain form without JavaScript", async () => {
    const { page, complaints } = await visit(browser, service.address, { javaScriptEnabled: false });
    await startRun(page, 2, 6);
    await page.waitForURL(/\?run=/);
    expect(await page.locator("#outcome li").allTextContents()).toEqual(await service.printed(2, 6));
    await startRun(page, 6, 2);
    expect(await page.getByRole("alert").textContent()).toContain("range [6, 2): expected 0 <= start_idx < end_idx");
    expect(await page.getByLabel("First image").inputValue()).toBe("6");
    await page.goto(`${service.address}/?run=none`);
    expect(await page.getByRole("alert").textContent()).toContain("run none is not known here");
    expect(await page.getByLabel("End (not included)").inputValue()).toBe("10");
    expect(complaints).toEqual([expect.stringContaining("status of 400"), expect.stringContaining("status of 404")]);
  });

  test("opens with the newest run: its pictures, labels and true classes", async () => {
    const { page, complaints } = await visit(browser, service.address);
    await startRun(page, 20, 26);
    await untilDone(page, 20, 26);
    await page.reload();
    await untilDone(page, 20, 26);
    await expect.poll(() => shownLabels(page)).toEqual(await service.printed(20, 26));
    const verdicts = await page.locator("#grid .truth").allTextContents();
    expect(verdicts.map((verdict) => verdict.replace(/^.*is /, ""))).toEqual(truth(20, 26));
    await expect.poll(() => greyOf(page, 3)).toBe(pictureOf(23));
    expect(complaints).toEqual([]);
  });

  test("marks what is wrong, and counts it: accuracy and confusion matrix", async () => {
    const { page, complaints } = await visit(browser, service.address);
    await startRun(page, 0, 500);
    await untilDone(page, 0, 500);
    const [answers, is] = [await service.printed(0, 500), truth(0, 500)];
    const wrong = answers.flatMap((label, image) => (label === is[image] ? [] : [image]));
    await page.getByText(`${500 - wrong.length} of 500 images.`).waitFor();
    const shirts = page.getByRole("row", { name: /^Shirt / }).getByRole("cell");
    const expected = labels.map((label) => answers.filter((answer, n) => answer === label && is[n] === "Shirt").length);
    expect(await shirts.allTextContents()).toEqual(expected.map(String));
    await page.getByLabel("Only wrong ones").check();
    const marked = page.locator("#grid li").filter({ hasText: /✗ wrong: is / });
    await expect.poll(() => marked.count()).toBe(Math.min(50, wrong.length));
    const items = await page.locator("#grid li").all();
    const numbers = await Promise.all(items.map((item) => item.getAttribute("value")));
    expect(numbers).toEqual(wrong.slice(0, 50).map(String));
    expect(complaints).toEqual([]);
  });

  test("stays light with all images of the set, and fetches no picture twice", async () => {
    const { page, complaints } = await visit(browser, "about:blank");
    const fetched: string[] = [];
    page.on("request", (request) => {
      if (request.url().includes("/images?")) fetched.push(request.url());
    });
    await page.goto(service.address);
    await startRun(page, 0, 10_000);
    await untilDone(page, 0, 10_000);
    await page.getByText("10,000 of 10,000 images", { exact: true }).waitFor();
    expect(await page.getByRole("progressbar").getAttribute("value")).toBe("10000");
    for (let turned = 1; turned <= 3; turned += 1) {
      await page.getByRole("button", { name: "Next" }).click();
      await page.getByText(`images ${50 * turned} to ${50 * turned + 49}, of 10,000`).waitFor();
    }
    await page.getByRole("button", { name: "Previous" }).click();
    await page.getByText("images 100 to 149, of 10,000").waitFor();
    expect(await page.locator("canvas").count()).toBe(50);
    expect(fetched.map((url) => new URL(url).search)).toEqual([
      "?start_idx=0&end_idx=100",
      "?start_idx=100&end_idx=200",
    ]);
    expect(complaints).toEqual([]);
  });

  test("says in words what is wrong with a range, and goes on", async () => {
    const { page, complaints } = await visit(browser, service.address, { expected: /status of 400/ });
    await startRun(page, 8, 3);
    await page.getByRole("alert").getByText("range [8, 3): expected 0 <= start_idx < end_idx <= 10000").waitFor();
    expect(await page.getByLabel("End (not included)").getAttribute("aria-invalid")).toBe("true");
    await startRun(page, 3, 8);
    await untilDone(page, 3, 8);
    expect(await page.getByRole("alert").textContent()).toBe("");
    expect(complaints).toEqual([]);
  });

  test.each(["dark", "light"])("classifies an uploaded picture on a %s background", async (background) => {
    const { page, complaints } = await visit(browser, service.address);
    await startRun(page, 0, 10);
    await untilDone(page, 0, 10);
    const [boot] = await service.printed(0, 10);
    const grey = set.images.slice(0, 784).map((value) => (background === "dark" ? value : 255 - value));
    const raw = { width: 28, height: 28, channels: 1 } as const;
    const buffer = await sharp(grey, { raw }).png().toBuffer();
    await page.getByLabel("A picture of yours").setInputFiles({ name: "boot.png", mimeType: "image/png", buffer });
    await page.getByRole("button", { name: "Classify the picture" }).click();
    await page.getByText(/^Your picture on memory is done/).waitFor();
    await expect.poll(() => shownLabels(page)).toEqual([boot]);
    await expect.poll(() => greyOf(page, 0)).toBe(pictureOf(0));
    expect(complaints).toEqual([]);
  });

  test("says what to do about a file that is no picture", async () => {
    const { page, complaints } = await visit(browser, service.address, { expected: /status of 415/ });
    const file = { name: "boot.png", mimeType: "image/png", buffer: Buffer.from("no picture") };
    await page.getByLabel("A picture of yours").setInputFiles(file);
    await page.getByRole("button", { name: "Classify the picture" }).click();
    await page.getByRole("alert").getByText("Take a PNG or JPEG.").waitFor();
    expect(complaints).toEqual([]);
  });

  test("draws the topology with what each node does", async () => {
    const { page, complaints } = await visit(browser, service.address);
    await startRun(page, 0, 2_000);
    const infer = page.locator("#drawing .node").filter({ hasText: "infer" });
    await infer.filter({ hasText: /[1-9]\d*\/s · \d+ % busy/ }).waitFor();
    await page
      .getByText(/^[1-9][\d,]* ms$/)
      .first()
      .waitFor();
    expect(complaints).toEqual([]);
  });

  test("says when the service is gone, comes back with it, and works without a reload", async () => {
    let restarted = await Service.start();
    const { page } = await visit(browser, restarted.address);
    await page.getByText("● Connected").waitFor();
    await untilDone(page, 0, 10);
    await startRun(page, 5, 9);
    await untilDone(page, 5, 9);
    await restarted.stop("SIGKILL");
    await page.getByText("○ Connection lost: trying again").waitFor();
    await startRun(page, 6, 9);
    await page.getByRole("alert").getByText("The service does not answer. Is the service running?").waitFor();
    restarted = await Service.start([], {}, restarted.port);
    await page.getByText("● Connected").waitFor();
    await untilDone(page, 0, 10);
    await startRun(page, 30, 35);
    await untilDone(page, 30, 35);
    await expect.poll(() => shownLabels(page)).toEqual(await restarted.printed(30, 35));
    await restarted.stop();
  });

  test("is used with the keyboard alone", async () => {
    const { page, complaints } = await visit(browser, service.address);
    await startRun(page, 0, 10);
    await untilDone(page, 0, 10);
    await page.getByLabel("First image").focus();
    await page.keyboard.type("40");
    await page.keyboard.press("Tab");
    await page.keyboard.type("44");
    await page.keyboard.press("Enter");
    await untilDone(page, 40, 44);
    for (let tabs = 0; tabs < 10 && (await focused(page)) !== "[0, 10) on memory"; tabs += 1)
      await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await untilDone(page, 0, 10);
    expect(complaints).toEqual([]);
  });
});

/** Grey values of a picture in the grid, base64. As text, since the tests are compiled without the types of a browser. */
async function greyOf(page: Page, place: number): Promise<string> {
  const canvas = `document.querySelectorAll("#grid canvas")[${place}]`;
  const values = await page.evaluate<number[]>(`[...${canvas}.getContext("2d").getImageData(0, 0, 28, 28).data]`);
  return Buffer.from(values.filter((_, index) => index % 4 === 0)).toString("base64");
}

/** First words of what has the focus. */
async function focused(page: Page): Promise<string> {
  return page.evaluate<string>("document.activeElement.firstElementChild?.textContent ?? ''");
}
