import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { end } from "./command.ts";

const repository = resolve(import.meta.dirname, "../..");
const oxlint = join(dirname(createRequire(import.meta.url).resolve("oxlint/package.json")), "bin", "oxlint");

/** By file: imports that the linter must let pass, and imports that it must refuse. */
const rules: Readonly<Record<string, { readonly may: readonly string[]; readonly mayNot: readonly string[] }>> = {
  "src/index.ts": {
    may: [
      "./core/a.ts",
      "./topology/a.ts",
      "./runtime/a.ts",
      "./operators/a.ts",
      "./engines/auto.ts",
      "./engines/pool/rest.ts",
    ],
    mayNot: [
      "./brokers/memory/index.ts",
      "./engines/onnx/index.ts",
      "./engines/pool/pool.ts",
      "./testing/index.ts",
      "./cli/main.ts",
      "node:fs",
      "zod",
    ],
  },
  "src/core/a.ts": {
    may: ["./b.ts", "rxjs"],
    mayNot: [
      "../operators/a.ts",
      "../index.ts",
      "node:fs",
      "node:fs/promises",
      "pino",
      "millrace",
      "@tensorflow/tfjs-core",
    ],
  },
  "src/operators/a.ts": {
    may: ["./b.ts", "rxjs", "../core/a.ts"],
    mayNot: ["../topology/a.ts", "../runtime/a.ts", "../brokers/memory/a.ts", "node:timers", "zod"],
  },
  "src/topology/a.ts": {
    may: ["./b.ts", "rxjs", "../core/a.ts", "../operators/a.ts"],
    mayNot: ["../runtime/a.ts", "../engines/auto.ts", "node:process", "zod"],
  },
  "src/runtime/a.ts": {
    may: ["./b.ts", "rxjs", "../core/a.ts", "../operators/a.ts", "../topology/a.ts"],
    mayNot: ["../brokers/memory/index.ts", "../engines/auto.ts", "../testing/a.ts", "node:events", "pino"],
  },
  "src/brokers/memory/a.ts": {
    may: ["./b.ts", "rxjs", "../../core/a.ts"],
    mayNot: ["../kafka/a.ts", "../../operators/a.ts", "../../runtime/a.ts", "kafkajs"],
  },
  "src/brokers/kafka/a.ts": {
    may: ["./b.ts", "rxjs", "../../core/a.ts", "node:crypto", "kafkajs"],
    mayNot: ["../pubsub/a.ts", "../memory/index.ts", "@google-cloud/pubsub", "../../runtime/a.ts"],
  },
  "src/brokers/pubsub/a.ts": {
    may: ["./b.ts", "rxjs", "../../core/a.ts", "node:crypto", "@google-cloud/pubsub"],
    mayNot: ["../kafka/a.ts", "kafkajs", "../../operators/a.ts"],
  },
  "src/engines/auto.ts": {
    may: ["./onnx/index.ts", "./tfjs/index.ts", "../core/a.ts"],
    mayNot: ["./onnx/executor.ts", "onnxruntime-node", "../runtime/a.ts"],
  },
  "src/engines/engine-model.ts": {
    may: ["./auto.ts", "../core/a.ts"],
    mayNot: ["./onnx/index.ts", "./pool/pool.ts", "../operators/a.ts"],
  },
  "src/engines/pool/a.ts": {
    may: ["./b.ts", "../../core/a.ts", "node:worker_threads"],
    mayNot: ["../onnx/index.ts", "../../operators/a.ts", "onnxruntime-node"],
  },
  "src/engines/onnx/a.ts": {
    may: ["./b.ts", "../pool/a.ts", "../../core/a.ts", "node:fs/promises", "onnxruntime-node"],
    mayNot: ["../tfjs/a.ts", "../auto.ts", "@tensorflow/tfjs-core", "../../runtime/a.ts"],
  },
  "src/engines/tfjs/a.ts": {
    may: ["./b.ts", "../pool/a.ts", "../../core/a.ts", "node:fs/promises", "@tensorflow/tfjs-core"],
    mayNot: ["../onnx/a.ts", "onnxruntime-node", "../../topology/a.ts"],
  },
  "src/opentelemetry/a.ts": {
    may: ["./b.ts", "../core/a.ts", "@opentelemetry/api"],
    mayNot: ["../runtime/a.ts", "@opentelemetry/sdk-trace-base", "node:http"],
  },
  "src/service/metrics/a.ts": {
    may: ["./b.ts", "../runs.ts", "../../core/a.ts", "../../operators/a.ts", "../../runtime/a.ts", "prom-client"],
    mayNot: ["../../brokers/memory/index.ts", "@opentelemetry/api", "zod"],
  },
  "src/service/a.ts": {
    may: ["./b.ts", "rxjs", "../core/a.ts", "../topology/a.ts", "../runtime/a.ts", "fastify", "node:http"],
    mayNot: ["../brokers/memory/index.ts", "../engines/auto.ts", "../cli/main.ts", "kafkajs"],
  },
  "src/testing/a.ts": {
    may: [
      "./b.ts",
      "rxjs",
      "../core/a.ts",
      "../topology/a.ts",
      "../runtime/a.ts",
      "../brokers/memory/index.ts",
      "./contract/index.ts",
      "node:timers",
    ],
    mayNot: ["vitest", "../brokers/kafka/a.ts", "../engines/auto.ts", "../cli/main.ts"],
  },
  "src/testing/contract/a.ts": {
    may: ["./b.ts", "../virtual-scheduler.ts", "rxjs", "../../core/a.ts", "../../runtime/a.ts", "node:timers"],
    mayNot: ["vitest", "../../index.ts", "../../brokers/kafka/a.ts", "../../operators/a.ts"],
  },
  "src/cli/a.ts": {
    may: [
      "../brokers/memory/index.ts",
      "../runtime/a.ts",
      "millrace/topologies/embedded-inference",
      "commander",
      "node:fs",
    ],
    mayNot: [],
  },
  "topologies/some/a.ts": { may: ["./b.ts", "millrace", "millrace/model", "zod"], mayNot: ["../../src/index.ts"] },
  "model/drawing/a.ts": {
    may: ["../labels.ts", "millrace"],
    mayNot: ["../../src/core/a.ts", "../../topologies/some/a.ts"],
  },
  "examples/a.ts": { may: ["millrace", "millrace/memory", "rxjs"], mayNot: ["../src/index.ts", "../model/index.ts"] },
};

const folder = mkdtempSync(join(tmpdir(), "millrace-rules-"));
/** `<file>:<line>` of each refused import. */
let refused: ReadonlySet<string>;

beforeAll(async () => {
  copyFileSync(join(repository, ".oxlintrc.json"), join(folder, ".oxlintrc.json"));
  for (const [file, { may, mayNot }] of Object.entries(rules)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    // One line for each way to import: all of them, or none, are refused.
    const lines = [...may, ...mayNot].flatMap((path, index) => [
      `import { a as a${index} } from "${path}";`,
      `import type { A as A${index} } from "${path}";`,
      `export { b as b${index} } from "${path}";`,
      `export const c${index} = await import("${path}");`,
    ]);
    writeFileSync(join(folder, file), `${lines.join("\n")}\n`);
  }
  // Without the rules that have nothing to do with imports.
  const args = [oxlint, "--allow", "all", "--format", "json", "."];
  const { stdout } = await end(process.execPath, args, { cwd: folder });
  const { diagnostics } = JSON.parse(stdout) as { readonly diagnostics: readonly Diagnostic[] };
  refused = new Set(diagnostics.map(({ filename, labels }) => `${filename}:${labels[0]?.span.line}`));
});

afterAll(() => rmSync(folder, { recursive: true }));

test.each(Object.entries(rules))("%s imports what it may, and nothing else", (file, { may, mayNot }) => {
  const expected = mayNot.flatMap((_, index) =>
    [0, 1, 2, 3].map((way) => `${file}:${4 * (may.length + index) + way + 1}`),
  );
  expect([...refused].filter((position) => position.startsWith(`${file}:`)).toSorted()).toEqual(expected.toSorted());
});

interface Diagnostic {
  readonly filename: string;
  readonly labels: readonly { readonly span: { readonly line: number } }[];
}
