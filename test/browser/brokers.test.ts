import { randomUUID } from "node:crypto";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startKafka, type KafkaCluster } from "../../scripts/brokers/kafka.ts";
import { until } from "../../scripts/brokers/until.ts";
import { kafkaBrokers, pubsubEmulator } from "../brokers/addresses.ts";
import { plainKafka, skipped } from "../integration/plain-clients.ts";
import { noChromium, openChromium, shownLabels, startRun, untilDone, visit } from "./chromium.ts";
import { Service } from "./service.ts";

const none = noChromium();
const [kafkaAddresses, emulator] = [kafkaBrokers(), pubsubEmulator()];

describe.skipIf(none || (kafkaAddresses === undefined && skipped("the page on Kafka (KAFKA_BROKERS is not set)")))(
  "the page, on Kafka",
  () => {
    let browser: Browser;
    let cluster: KafkaCluster;
    let service: Service;

    beforeAll(async () => {
      // One of its own: it is killed, and its topics are the ones that `start` has by default.
      [browser, cluster] = await Promise.all([openChromium(), startKafka()]);
      service = await Service.start([
        "--broker",
        "kafka",
        "--create-topics",
        "--kafka-brokers",
        String(cluster.brokers),
      ]);
      await service.printed(0, 10);
    });
    afterAll(async () => {
      await browser.close();
      await service.stop("SIGKILL");
      await cluster.stop();
    });

    test("shows the pictures of a run with their labels", async () => {
      const { page, complaints } = await visit(browser, service.address);
      await startRun(page, 0, 40);
      await untilDone(page, 0, 40);
      await expect.poll(() => shownLabels(page)).toEqual(await service.printed(0, 40));
      expect(complaints).toEqual([]);
    });

    test("shows what others publish: a run, and a request that can't be read, with the reason", async () => {
      const { page, complaints } = await visit(browser, service.address);
      await page.getByText("None: every request could be answered.").waitFor();
      const client = plainKafka(cluster.brokers);
      await client.publish("INFERENCE", [{ value: '{"start_idx":60,"end_idx":63}' }, { value: "no request" }]);
      await page.getByRole("link", { name: "[60, 63) on kafka" }).click();
      await untilDone(page, 60, 63);
      await expect.poll(() => shownLabels(page)).toEqual(await service.printed(60, 63));
      const letter = page.locator("#letters li");
      await letter.getByText("ERR_DECODE").waitFor();
      await letter.getByText("no request", { exact: true }).waitFor();
      await letter.getByText(/at node source of kafka, kafka:INFERENCE\/0@\d+/).waitFor();
      await page.getByText("1 that could not be answered.").waitFor();
      expect(complaints).toEqual([]);
    });

    test("says that the broker is down and what to do, and works without a reload when it is back", async () => {
      const { page } = await visit(browser, service.address);
      await cluster.nodes[0]?.kill("SIGKILL");
      await startRun(page, 70, 75);
      await page
        .getByRole("alert")
        .getByText(/The broker can't be reached\. .*Start the broker, or wait/)
        .waitFor();
      await cluster.nodes[0]?.start();
      // Refused until the service has noticed; another range each time, so that each answer is that of its own try.
      let start = 80;
      const answered = async (): Promise<boolean> => {
        start += 1;
        await startRun(page, start, start + 5);
        return untilDone(page, start, start + 5).then(
          () => true,
          () => false,
        );
      };
      await until(answered, { what: "a run", ms: 60_000 });
      await expect.poll(() => shownLabels(page)).toEqual(await service.printed(start, start + 5));
    }, 120_000);
  },
);

describe.skipIf(none || (emulator === undefined && skipped("the page on Pub/Sub (PUBSUB_EMULATOR_HOST is not set)")))(
  "the page, on Pub/Sub",
  () => {
    test("shows the pictures of a run with their labels", async () => {
      // A project of its own: the topics are the ones that `start` has by default.
      const project = { PUBSUB_PROJECT_ID: `page-${randomUUID().slice(0, 8)}` };
      const [browser, service] = await Promise.all([
        openChromium(),
        Service.start(["--broker", "pubsub", "--create-topics"], project),
      ]);
      const { page, complaints } = await visit(browser, service.address);
      await untilDone(page, 0, 10);
      await startRun(page, 0, 40);
      await untilDone(page, 0, 40);
      await expect.poll(() => shownLabels(page)).toEqual(await service.printed(0, 40));
      expect(complaints).toEqual([]);
      await browser.close();
      await service.stop();
    });
  },
);
