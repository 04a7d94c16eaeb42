import { readdirSync, readFileSync } from "node:fs";
import { extname } from "node:path";
import type { onSendAsyncHookHandler } from "fastify";
import { z } from "zod";
import type { Desk } from "../desk.ts";
import { Problem } from "../problems.ts";
import type { Run } from "../run.ts";
import { traceHeaders } from "../tracing.ts";
import { indexText, type Routes } from "./routes.ts";

/** How long the form without JavaScript waits for the answer, milliseconds. */
const formWaitMs = 5_000;

const folder = new URL("../page/", import.meta.url);

const html = "text/html; charset=utf-8";

const types: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};

const formSchema = z.object({
  broker: z.string(),
  start_idx: indexText,
  end_idx: indexText,
});

/** What the page shows when it comes. */
interface Shown {
  readonly run?: Run | undefined;
  /** What was typed into the form, when it comes back with a problem. */
  readonly typed?: Readonly<Record<string, unknown>>;
  readonly problem?: string;
}

/** The page, its files, and its form. */
export function pageRoutes(desk: Desk): Routes {
  const template = readFileSync(new URL("index.html", folder), "utf8");
  const { gallery } = desk.settings;
  return (app, prefix) => {
    const page = (shown: Shown): string => render(template, desk, prefix, shown);

    /** People get the page with the problem in words. Not for want of the token: then they get nothing of it. */
    const inWords: onSendAsyncHookHandler = async ({ headers, body }, reply, payload) => {
      const { statusCode } = reply;
      if (statusCode < 400 || statusCode === 401 || headers.accept?.includes("text/html") !== true) return payload;
      const { title, detail } = JSON.parse(String(payload)) as { readonly title: string; readonly detail: string };
      void reply.type(html);
      return page({ problem: `${title}. ${detail}`, typed: { ...(body as object | undefined) } });
    };

    app.get(
      "/",
      { schema: { hide: true, querystring: z.object({ run: z.string().optional() }) }, onSend: inWords },
      ({ query: { run: id } }, reply) => {
        const run = id === undefined ? undefined : desk.runs.find(id);
        if (id !== undefined && run === undefined) throw new Problem(404, "No such run", `run ${id} is not known here`);
        return reply.type(html).send(page({ run }));
      },
    );

    app.post(
      "/",
      { config: { starts: true }, schema: { hide: true, body: formSchema }, onSend: inWords },
      async ({ body: { broker, start_idx: start, end_idx: end }, headers }, reply) => {
        const run = await desk.start(broker, { start, end }, traceHeaders(headers));
        await desk.runs.whenFinished(run, formWaitMs);
        return reply.redirect(`${prefix}/?run=${run.id}`, 303);
      },
    );

    for (const name of readdirSync(folder)) {
      const type = types[extname(name)];
      if (type === undefined) continue;
      const content = readFileSync(new URL(name, folder));
      app.get(`/page/${name}`, { schema: { hide: true } }, (_, reply) =>
        reply.type(type).header("cache-control", "no-cache").send(content),
      );
    }

    if (gallery === undefined) return;
    // The true classes alone, a byte each: accuracy can be counted without fetching all pictures.
    app.get("/page/truth", { schema: { hide: true } }, (_, reply) =>
      reply.type("application/octet-stream").header("cache-control", "private, max-age=3600").send(gallery.labels),
    );
  };
}

function render(template: string, desk: Desk, prefix: string, { run, typed, problem }: Shown): string {
  const { defaultBroker, images, gallery, app, docs } = desk.settings;
  const { broker, start_idx, end_idx } = {
    broker: run?.broker ?? defaultBroker,
    start_idx: run?.start ?? 0,
    end_idx: run?.end ?? Math.min(10, images),
    ...typed,
  };
  const values: Readonly<Record<string, string>> = {
    base: escape(`${prefix}/`),
    brokers: desk.brokers
      .map((name) => `<option${name === broker ? " selected" : ""}>${escape(name)}</option>`)
      .join(""),
    start: escape(String(start_idx)),
    end: escape(String(end_idx)),
    images: String(images),
    last: String(images - 1),
    names: escape(JSON.stringify(gallery?.names ?? [])),
    side: String(gallery?.side ?? 0),
    topology: app === undefined ? "no" : "yes",
    run: escape(run?.id ?? ""),
    docs: docs ? '<a href="docs">The API of this service</a>' : "",
    problem: escape(problem ?? ""),
    outcome: run === undefined ? "" : outcome(run),
  };
  return template.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => values[name] ?? "");
}

/** What is known of a run, for those without JavaScript: they reload. */
function outcome(run: Run): string {
  const { id, status, broker, start, end, done, total, problem } = run;
  const words = `Run [${start}, ${end}) on ${broker}: ${status}, ${done} of ${total} images.`;
  const reload = run.finished ? "" : ` <a href="?run=${encodeURIComponent(id)}">Look again</a>`;
  const reason = problem === undefined ? "" : `<p>${escape(problem.message)}</p>`;
  const labels = run.predictions.map((label, image) => `<li value="${start + image}">${escape(label ?? "…")}</li>`);
  return `<h2>Outcome</h2><p>${escape(words)}${reload}</p>${reason}<ol start="${start}">${labels.join("")}</ol>`;
}

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
