import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Makes a folder for a server's files. Unless `detached`, it is removed when this process ends, however that comes. */
export function temporaryFolder(name: string, { detached }: { readonly detached: boolean }): string {
  const folder = mkdtempSync(join(tmpdir(), `millrace-${name}-`));
  if (!detached) process.once("exit", () => removeFolder(folder));
  return folder;
}

/** Removes a folder, in which a process that ends may still write. */
export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
}
