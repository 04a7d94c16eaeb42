import { defineConfig } from "vitest/config";

// Minutes of killing processes: apart from `npm test`. One file at a time, since each needs both cores to itself.
export default defineConfig({
  test: {
    name: "faults",
    include: ["test/faults/**/*.test.ts"],
    globalSetup: ["test/faults/kafka-setup.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    fileParallelism: false,
  },
});
