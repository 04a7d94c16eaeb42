import type { ContractCase } from "./contract-case.ts";
import { exactlyOnceCases } from "./exactly-once-cases.ts";
import { orderCases } from "./order-cases.ts";
import { recordCases } from "./record-cases.ts";
import { sessionCases } from "./session-cases.ts";
import { settlingCases } from "./settling-cases.ts";

export { lackingFor, type ContractCase } from "./contract-case.ts";
export { brokerHarness, type BrokerFeature, type BrokerHarness, type BrokerHarnessOptions } from "./harness.ts";

/**
 * What every broker driver must do, as cases for any test framework: make a harness, skip what `lackingFor` names, run, close.
 *
 * ```ts
 * for (const contractCase of brokerContract) {
 *   test(contractCase.name, async () => {
 *     const harness = await myHarness();
 *     try { await contractCase.run(harness); } finally { await harness.close(); }
 *   });
 * }
 * ```
 */
export const brokerContract: readonly ContractCase[] = [
  ...sessionCases,
  ...recordCases,
  ...settlingCases,
  ...orderCases,
  ...exactlyOnceCases,
];
