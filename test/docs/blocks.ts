import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A block of code in a document. */
export interface Block {
  /** The document, relative to the repository. */
  readonly file: string;
  /** Line of its first line of code, counted from 1. */
  readonly line: number;
  /** What stands behind the opening fence. */
  readonly info: string;
  readonly code: string;
}

/** The documents whose code is run: `README.md`, `CONTRIBUTING.md` and all in `docs`. */
export function documents(repository: string): readonly string[] {
  const docs = readdirSync(join(repository, "docs"), { recursive: true, encoding: "utf8" });
  const markdown = docs.filter((file) => file.endsWith(".md")).map((file) => join("docs", file));
  return ["README.md", "CONTRIBUTING.md", ...markdown.toSorted()];
}

export function readBlocks(repository: string, file: string): readonly Block[] {
  return blocksOf(file, readFileSync(join(repository, file), "utf8"));
}

/** The fenced blocks of a Markdown text, in order. */
export function blocksOf(file: string, text: string): readonly Block[] {
  const blocks: Block[] = [];
  const lines = text.split("\n");
  let opening:
    | { readonly indent: number; readonly fence: string; readonly info: string; readonly line: number }
    | undefined;
  for (const [index, line] of lines.entries()) {
    const {
      indent = "",
      fence = "",
      info = "",
    } = /^(?<indent>\s*)(?<fence>`{3,}|~{3,})(?<info>.*)$/.exec(line)?.groups ?? {};
    if (fence === "") continue;
    if (opening === undefined) opening = { indent: indent.length, fence, info: info.trim(), line: index + 2 };
    else if (fence.startsWith(opening.fence) && info.trim() === "") {
      const { indent: margin, info: language, line: first } = opening;
      const code = lines
        .slice(first - 1, index)
        .map((content) => content.slice(Math.min(margin, content.search(/\S|$/))));
      blocks.push({ file, line: first, info: language, code: `${code.join("\n")}\n` });
      opening = undefined;
    }
  }
  if (opening !== undefined) throw new Error(`${file}:${opening.line - 1}: the block is never closed`);
  return blocks;
}
