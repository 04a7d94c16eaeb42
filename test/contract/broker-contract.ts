import { brokerContract, lackingFor, type BrokerHarness } from "millrace/testing";
import { describe, test } from "vitest";

/** Runs the broker contract; each case with a harness of its own. */
export function describeBroker(name: string, open: () => Promise<BrokerHarness>): void {
  describe(`${name} honours the broker contract: it`, () => {
    test.for(brokerContract)("$name", async (contractCase, { skip }) => {
      const harness = await open();
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
