/** Calls `make`; what it throws becomes a rejection. */
export function later<T>(make: () => T | Promise<T>): Promise<T> {
  return new Promise((resolve) => {
    resolve(make());
  });
}
