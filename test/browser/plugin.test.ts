import fastify, { type FastifyInstance } from "fastify";
import { memoryBroker } from "millrace/memory";
import { trigger } from "millrace/service";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { noChromium, openChromium, startRun, visit } from "./chromium.ts";

describe.skipIf(noChromium())("the page, in a server of the user's own", () => {
  let browser: Browser;
  let server: FastifyInstance;

  beforeAll(async () => {
    browser = await openChromium();
    server = fastify({ forceCloseConnections: true });
    await server.register(trigger, { prefix: "/inference", sessions: { memory: memoryBroker() }, token: "secret" });
  });
  afterAll(async () => {
    await browser.close();
    await server.close();
  });

  test("works below a prefix, with a token, without pictures and without the app", async () => {
    const address = await server.listen({ port: 0 });
    const httpCredentials = { username: "anybody", password: "secret" };
    const { page, complaints } = await visit(browser, `${address}/inference`, { httpCredentials });
    await page.getByText("● Connected").waitFor();
    await startRun(page, 0, 3);
    await page.getByText("Run [0, 3) on memory is queued.").waitFor();
    expect(await page.locator("#grid strong").allTextContents()).toEqual(["…", "…", "…"]);
    expect(await page.getByRole("heading").allTextContents()).toEqual([
      "millrace",
      "Start a run",
      "Recent runs",
      "Now",
      "Results",
      "Dead letters",
    ]);
    expect(complaints).toEqual([]);
  });
});
