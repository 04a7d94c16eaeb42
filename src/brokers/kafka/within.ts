/** Rejects when `task` takes longer than `ms`, milliseconds; what comes of the task later is ignored. */
export async function within<T>(ms: number, task: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined = undefined;
  const late = new Promise<never>((_, reject) => {
    // A longer wait than this one fires at once.
    timer = setTimeout(() => reject(new Error(`no answer after ${Math.round(ms)} ms`)), Math.min(ms, 2 ** 31 - 1));
  });
  try {
    return await Promise.race([task, late]);
  } finally {
    clearTimeout(timer);
  }
}
