import type { FastifyInstance } from "fastify";
import { Problem } from "../problems.ts";

const methods = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/** Watches which routes are added from now on. @returns call it when all are there: their other methods then answer 405 */
export function otherMethods(server: FastifyInstance): () => void {
  const known = new Map<string, Set<string>>();
  server.addHook("onRoute", ({ url, method }) => {
    const path = url.slice(server.prefix.length) || "/"; // the prefix without a slash comes with "/"
    const allowed = known.get(path) ?? new Set();
    for (const one of [method].flat()) allowed.add(one);
    known.set(path, allowed);
  });
  return () => {
    for (const [url, allowed] of [...known]) {
      const others = methods.filter((method) => !allowed.has(method));
      const allow = [...allowed].toSorted().join(", ");
      server.route({
        url,
        method: others,
        schema: { hide: true },
        handler: () => {
          throw new Problem(405, "This method does nothing here", `there is: ${allow}`, { headers: { allow } });
        },
      });
    }
  };
}
