// Imports the module named on the command line and prints, as JSON, every file, builtin and addon that this loads.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire, register } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [specifier] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "millrace-loaded-"));
const log = join(folder, "urls");
writeFileSync(log, "");
// Node 20 has no synchronous hooks: these run on a thread of their own, which writes down what it sees.
register("./list-loaded-hooks.js", import.meta.url, { data: { log } });
await import(specifier);

const required = Object.keys(createRequire(import.meta.url).cache).map((path) => pathToFileURL(path).href);
const addons = process.report.getReport().sharedObjects.filter((path) => path.endsWith(".node"));
const urls = readFileSync(log, "utf8").split("\n").filter(Boolean);
rmSync(folder, { recursive: true });
console.log(JSON.stringify([...new Set([...urls, ...required, ...addons])]));
