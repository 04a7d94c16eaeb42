import { execFile } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { blocksOf, documents, readBlocks, type Block } from "./blocks.ts";

const execute = promisify(execFile);
const repository = resolve(import.meta.dirname, "../..");
// Inside the repository, so that the library is imported by its own name, as a user does.
const folder = join(repository, ".cache", `docs-${process.pid}`);
const files = documents(repository);
const blocks = files.flatMap((file) => readBlocks(repository, file));
const programs = blocks.filter(({ info }) => info === "ts").map((block) => ({ ...block, name: nameOf(block) }));

/** Languages of blocks that are no programs of this library. */
const shown = new Set(["sh", "json", "jsonc", "text", "mermaid", "dot", "yaml"]);

function nameOf({ file, line }: Block): string {
  return `${file.replaceAll(/[^\w]+/g, "-")}-${line}`;
}

test("every block says its language and nothing else, so that none can opt out", () => {
  const others = blocks.filter(({ info }) => info !== "ts" && !shown.has(info));
  expect(others.map(({ file, line, info }) => `${file}:${line}: ${JSON.stringify(info)}`)).toEqual([]);
});

describe("the code in the documents", () => {
  const failures = new Map<string, string>();

  beforeAll(async () => {
    mkdirSync(folder, { recursive: true });
    for (const { name, code } of programs) writeFileSync(join(folder, `${name}.ts`), `${code}\nexport {};\n`);
    const compilerOptions = {
      target: "ES2023",
      lib: ["ES2023", "ESNext.Disposable"],
      module: "NodeNext",
      types: ["node"],
      strict: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: true,
      rootDir: ".",
      outDir: "out",
      noEmitOnError: false,
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }));
    await compile();
  }, 120_000);

  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
    console.log(`${programs.length} blocks of code in ${files.length} documents were compiled and run.`);
  });

  test("is there", () => {
    expect(new Set(programs.map(({ file }) => file))).toContain("README.md");
  });

  test.each(programs)("$file:$line compiles", ({ name }) => {
    expect(failures.get(name) ?? "").toBe("");
  });

  test.concurrent.each(programs)("$file:$line runs", async ({ name }) => {
    await execute(process.execPath, ["--enable-source-maps", join(folder, "out", `${name}.js`)], {
      cwd: repository,
      timeout: 60_000,
      killSignal: "SIGKILL",
    });
  });

  /** Compiles all programs at once, against what `npm run build` made, and sorts what is wrong by program. */
  async function compile(): Promise<void> {
    const tsc = join(repository, "node_modules/typescript/bin/tsc");
    const output = await execute(process.execPath, [tsc, "-p", folder, "--pretty", "false"], { cwd: folder }).then(
      () => "",
      (cause: unknown) => (cause as { readonly stdout: string }).stdout, // what execFile rejects with
    );
    for (const [line, name = ""] of output.matchAll(/^([\w-]+)\.ts\(.*(?:\n {2}.*)*/gm)) {
      failures.set(name, `${failures.get(name) ?? ""}${line}\n`);
    }
    if (output !== "" && failures.size === 0) throw new Error(`${relative(repository, folder)}: ${output}`);
  }
});

describe("blocksOf", () => {
  test("finds blocks by their fences, without their margin, with the line of their code", () => {
    const text = [
      "# A",
      "```ts",
      "one",
      "```",
      "- list",
      "  ~~~sh",
      "  two",
      "",
      "   three",
      "  ~~~",
      "````text",
      "```",
      "````",
    ];
    expect(blocksOf("a.md", text.join("\n"))).toEqual([
      { file: "a.md", line: 3, info: "ts", code: "one\n" },
      { file: "a.md", line: 7, info: "sh", code: "two\n\n three\n" },
      { file: "a.md", line: 12, info: "text", code: "```\n" },
    ]);
  });

  test("keeps what is said behind the language", () => {
    expect(blocksOf("a.md", "```ts no-run\n```\n")).toMatchObject([{ info: "ts no-run" }]);
  });

  test("refuses a block without an end", () => {
    expect(() => blocksOf("a.md", "\n```ts\n")).toThrow("a.md:2: the block is never closed");
  });
});
