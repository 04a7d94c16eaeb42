import { readdirSync, readFileSync } from "node:fs";
import { extname } from "node:path";
import { z } from "zod";
import type { Desk } from "../desk.ts";
import { Problem } from "../problems.ts";
import type { Run } from "../run.ts";
import { traceHeaders } from "../tracing.ts";
import { indexText, type Routes } from "./routes.ts";

/** How long the form without JavaScript waits for the answer, milliseconds. */
const formWaitMs = 5_000;

const folder = new URL("../page/", import.meta.url);

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

/** The page, its files, and its form. */
export function pageRoutes(desk: Desk): Routes {
  const template = readFileSync(new URL("index.html", folder), "utf8");
  return (app, prefix) => {
    app.get(
      "/",
      { schema: { hide: true, querystring: z.object({ run: z.string().optional() }) } },
      ({ query: { run: id } }, reply) => {
        const run = id === undefined ? undefined : desk.runs.find(id);
        if (id !== undefined && run === undefined) throw new Problem(404, "No such run", `run ${id} is not known here`);
        return reply.type("text/html; charset=utf-8").send(render(template, desk, prefix, run));
      },
    );

    app.post(
      "/",
      { config: { starts: true }, schema: { hide: true, body: formSchema } },
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
  };
}

function render(template: string, desk: Desk, prefix: string, run: Run | undefined): string {
  const { defaultBroker, images, gallery, app } = desk.settings;
  const [start, end] = run === undefined ? [0, 10] : [run.start, run.end];
  const chosen = run?.broker ?? defaultBroker;
  const values: Readonly<Record<string, string>> = {
    base: escape(`${prefix}/`),
    brokers: desk.brokers
      .map((name) => `<option${name === chosen ? " selected" : ""}>${escape(name)}</option>`)
      .join(""),
    start: String(start),
    end: String(end),
    images: String(images),
    names: escape(JSON.stringify(gallery?.names ?? [])),
    side: String(gallery?.side ?? 0),
    topology: app === undefined ? "no" : "yes",
    outcome: run === undefined ? "" : outcome(run),
  };
  return template.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => values[name] ?? "");
}

/** What is known of a run, for those without JavaScript: they reload. */
function outcome(run: Run): string {
  const { status, broker, start, end, done, total, problem } = run;
  const words = `Run [${start}, ${end}) on ${broker}: ${status}, ${done} of ${total} images`;
  const labels = run.predictions.map((label, image) => `<li value="${start + image}">${escape(label ?? "…")}</li>`);
  const reason = problem === undefined ? "" : `<p>${escape(problem.message)}</p>`;
  return `<p>${escape(words)}</p>${reason}<ol start="${start}">${labels.join("")}</ol>`;
}

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
