import { logLevel } from "kafkajs";
import { describe, expect, it } from "vitest";
import { kafkajsLog } from "../../../src/brokers/kafka/kafkajs-log.ts";
import { silentLogger } from "../../../src/core/logger.ts";

const logged = (label: string, level: logLevel, message: string, extra: object = {}) => {
  const lines: { readonly level: string; readonly fields: object; readonly message: string }[] = [];
  const logger = {
    ...silentLogger,
    debug: (fields: object, text: string) => lines.push({ level: "debug", fields, message: text }),
    info: (fields: object, text: string) => lines.push({ level: "info", fields, message: text }),
    warn: (fields: object, text: string) => lines.push({ level: "warn", fields, message: text }),
    error: (fields: object, text: string) => lines.push({ level: "error", fields, message: text }),
  };
  kafkajsLog(logger)(level)({ namespace: "Consumer", label, level, log: { timestamp: "", message, ...extra } });
  return lines;
};

describe("kafkajsLog", () => {
  it("passes information and what is retried on as debug", () => {
    expect(logged("INFO", logLevel.INFO, "Stopped")).toMatchObject([{ level: "debug", message: "Stopped" }]);
    expect(logged("WARN", logLevel.WARN, "The group is rebalancing, re-joining")).toMatchObject([{ level: "debug" }]);
    expect(
      logged("ERROR", logLevel.ERROR, "Response AddPartitionsToTxn", { error: "CONCURRENT_TRANSACTIONS" }),
    ).toMatchObject([{ level: "debug", fields: { error: "CONCURRENT_TRANSACTIONS" } }]);
  });

  it("warns of a crash", () => {
    expect(logged("ERROR", logLevel.ERROR, "Crash: KafkaJSNumberOfRetriesExceeded: x", { groupId: "g" })).toMatchObject(
      [{ level: "warn", fields: { groupId: "g", kafkajs: "Consumer" } }],
    );
  });

  it("drops fields that it does not know", () => {
    expect(
      JSON.stringify(logged("ERROR", logLevel.ERROR, "x", { password: "hunter2", sasl: { password: "hunter2" } })),
    ).not.toContain("hunter2");
  });
});
