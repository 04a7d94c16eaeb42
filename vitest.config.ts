import { defineConfig } from "vitest/config";

const project = (name: string, extra: object = {}): object => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout: 20_000, ...extra },
});

/** Starts Kafka and the Pub/Sub emulator where they are not running. */
const onBrokers = { globalSetup: ["test/brokers/setup.ts"], hookTimeout: 60_000 };

export default defineConfig({
  test: {
    projects: [
      project("unit"),
      project("contract", { testTimeout: 120_000, ...onBrokers }),
      project("topologies"),
      project("integration", { testTimeout: 120_000, ...onBrokers }),
      project("browser", { testTimeout: 60_000, ...onBrokers }),
      project("model", { testTimeout: 120_000 }),
      project("docs", { testTimeout: 120_000 }),
      project("types", {
        include: [],
        typecheck: { enabled: true, only: true, include: ["test/types/**/*.test-d.ts"], tsconfig: "tsconfig.json" },
      }),
    ],
  },
});
