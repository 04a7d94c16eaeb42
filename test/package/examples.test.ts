import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, inject, test } from "vitest";
import { run } from "./command.ts";

const repository = resolve(import.meta.dirname, "../..");
const project = inject("project");
const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
const examples = readdirSync(join(repository, "examples")).filter((file) => file.endsWith(".ts"));

test("there are examples", () => {
  expect(examples).toContain("embedded-inference.ts");
});

// In a project that has the library installed: an example is code that a user can copy.
test.each(examples)("examples/%s runs and says something", async (example) => {
  expect(await run(process.execPath, ["--import", tsx, `examples/${example}`], { cwd: project })).not.toBe("");
});
