import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyRequest } from "fastify";
import { Problem } from "./problems.ts";

/** Refuses what another site made a browser send: it starts something, and the person at the browser did not ask for it. */
export function refuseForeign(request: FastifyRequest): void {
  const { origin, host } = request.headers;
  const site = request.headers["sec-fetch-site"];
  if (site === "cross-site") throw new Problem(403, "Refused", "the request comes from another site (Sec-Fetch-Site)");
  if (origin !== undefined && hostOf(origin) !== host) {
    throw new Problem(403, "Refused", "the request comes from another site (Origin)");
  }
}

/** Lets through who shows the token: as Bearer, or as the password of Basic, which browsers can ask for. */
export function requireToken(token: string): (request: FastifyRequest) => void {
  const expected = digest(token);
  return ({ headers: { authorization = "" } }) => {
    const [scheme = "", credentials = ""] = authorization.split(" ");
    if (timingSafeEqual(digest(shown(scheme.toLowerCase(), credentials)), expected)) return;
    throw new Problem(401, "A token is needed", "send Authorization: Bearer <token>", {
      headers: { "www-authenticate": 'Bearer, Basic realm="millrace: the token is the password"' },
    });
  };
}

function shown(scheme: string, credentials: string): string {
  if (scheme === "bearer") return credentials;
  if (scheme !== "basic") return "";
  const pair = Buffer.from(credentials, "base64").toString();
  return pair.slice(pair.indexOf(":") + 1);
}

/** Of equal length for all, so that comparing takes the same time for all. */
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
