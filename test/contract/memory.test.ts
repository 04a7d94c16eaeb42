import { memoryBroker } from "millrace/memory";
import { brokerHarness } from "millrace/testing";
import { describeBroker } from "./broker-contract.ts";

describeBroker("memory", async () => {
  const broker = memoryBroker({ maxRecordBytes: 1_000 });
  let topics = 0;
  return brokerHarness({
    broker,
    groupId: "contract",
    quietMs: 20,
    createTopic: async (partitions) => {
      topics += 1;
      broker.createTopic(`topic-${topics}`, partitions);
      return `topic-${topics}`;
    },
    disconnect: async () => broker.faults.crash(),
  });
});
