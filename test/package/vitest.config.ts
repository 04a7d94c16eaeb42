import { defineConfig } from "vitest/config";

// Checks of the package as users get it. They install from the registry and take minutes, so they are not part of `npm test`.
export default defineConfig({
  test: {
    name: "package",
    include: ["test/package/**/*.test.ts"],
    globalSetup: ["test/package/installed.ts"],
    testTimeout: 180_000,
    hookTimeout: 300_000,
    // Each test starts processes of its own.
    fileParallelism: false,
  },
});
