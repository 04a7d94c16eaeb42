import { format } from "node:util";
import type { Logger } from "millrace";
import { brokerContract, lackingFor, type BrokerHarness } from "millrace/testing";
import { describe, test } from "vitest";

/** Runs the broker contract; each case with a harness of its own. What a driver logged is shown when its case fails. */
export function describeBroker(name: string, open: (logger: Logger) => Promise<BrokerHarness>): void {
  describe(`${name} honours the broker contract: it`, () => {
    test.for(brokerContract)("$name", async (contractCase, { skip, onTestFailed }) => {
      const { logger, lines } = keeper();
      onTestFailed(() => void process.stderr.write(`${contractCase.name}\n${lines.join("\n")}\n`));
      const harness = await open(logger);
      try {
        const lacking = lackingFor(contractCase, harness);
        if (lacking.length > 0) skip(`${name} has no ${lacking.join(", ")}`);
        await contractCase.run(harness);
      } finally {
        await harness.close();
      }
    });
  });
}

function keeper(): { readonly logger: Logger; readonly lines: readonly string[] } {
  const lines: string[] = [];
  const began = performance.now();
  const keep = (fields: object, message: string): void => {
    lines.push(`${Math.round(performance.now() - began)} ms ${message} ${format("%o", fields)}`);
  };
  return { logger: { trace: keep, debug: keep, info: keep, warn: keep, error: keep }, lines };
}
