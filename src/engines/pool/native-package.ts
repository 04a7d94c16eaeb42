/** A package that an engine needs can't be imported: it is not installed (`missing`), or its binary does not load. */
export class PackageError extends Error {
  readonly packageName: string;
  readonly missing: boolean;

  constructor(packageName: string, cause: unknown) {
    super(`${packageName} can't be imported`, { cause });
    this.packageName = packageName;
    this.missing = isNotFound(cause, packageName);
  }
}

/**
 * Imports an optional package. The name is a value, not a literal, so that this library compiles where the package is
 * not installed; the caller says of which type the module is, and declares no more of it than it uses.
 */
export async function importPackage(packageName: string): Promise<unknown> {
  try {
    return await import(packageName);
  } catch (cause) {
    throw new PackageError(packageName, cause);
  }
}

/**
 * Whether the package itself is absent; a package that lacks one of its own files is broken, and reinstalling is
 * another remedy.
 */
function isNotFound(cause: unknown, packageName: string): boolean {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  return code === "ERR_MODULE_NOT_FOUND" && String(cause).includes(`'${packageName}'`);
}
