import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyRequest } from "fastify";
import { Problem } from "./problems.ts";

/** Refuses what another site made a browser send: it starts something, and the person at the browser did not ask for it. */
export function refuseForeign(request: FastifyRequest): void {
  const { origin, "sec-fetch-site": site } = request.headers;
  // `same-site` is another port or a neighbouring name: not this page either.
  if (site !== undefined && site !== "same-origin" && site !== "none") {
    throw new Problem(403, "Refused", "the request comes from another site (Sec-Fetch-Site)");
  }
  // Fastify's `host`: behind a proxy that is trusted, the one that the browser saw.
  if (origin !== undefined && hostOf(origin) !== request.host.toLowerCase()) {
    throw new Problem(403, "Refused", "the request comes from another site (Origin)");
  }
}

/** Lets through who shows the token: as Bearer, or as the password of Basic, which browsers can ask for. */
export function requireToken(token: string): (request: FastifyRequest) => void {
  const expected = digest(token);
  return ({ headers: { authorization = "" } }) => {
    const [, scheme = "", credentials = ""] = /^(\S+) +(.*)$/.exec(authorization) ?? [];
    if (timingSafeEqual(digest(shown(scheme.toLowerCase(), credentials)), expected)) return;
    throw new Problem(401, "A token is needed", "send Authorization: Bearer <token>", {
      // A line each: Chromium reads no second scheme in one line, and would not ask for the token.
      headers: { "www-authenticate": ["Bearer", 'Basic realm="millrace: the token is the password"'] },
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
