import type { BrokerFeature, BrokerHarness } from "./harness.ts";

/** One promise of a broker, and the code that checks it. */
export interface ContractCase {
  /** What a broker does, as a sentence without its subject: `hands out a nacked record again`. */
  readonly name: string;
  /** Features without which the case means nothing. @default none */
  readonly needs?: readonly BrokerFeature[];
  /** Rejects with an `AssertionError` when the promise is broken. */
  run(harness: BrokerHarness): Promise<void>;
}

/** The features that a case needs and the broker lacks; a case runs when there are none. */
export function lackingFor(contractCase: ContractCase, harness: BrokerHarness): readonly BrokerFeature[] {
  return (contractCase.needs ?? []).filter((feature) => harness.lacks(feature));
}
