import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import type { Desk } from "../desk.ts";
import { readPicture } from "../picture.ts";
import { Problem, problemSchema } from "../problems.ts";
import { traceHeaders } from "../tracing.ts";
import { acceptedSchema, runSchema } from "../views.ts";
import { indexText, type Routes } from "./routes.ts";
import { answer, waitSchema } from "./runs.ts";

/** Largest upload, bytes. */
const maxUploadBytes = 8 * 1_024 * 1_024;

/** Most pictures in one answer. */
const maxPictures = 1_000;

/** Side of what the network reads, where no gallery says it. */
const defaultSide = 28;

const rangeSchema = z.object({
  start_idx: indexText,
  end_idx: indexText,
});

/** Pictures: classify one of your own, and see those of the set. */
export function pictureRoutes(desk: Desk): Routes {
  const { gallery } = desk.settings;
  return (app, prefix) => {
    void app.register(async (server) => {
      const scope = server.withTypeProvider<ZodTypeProvider>();
      scope.removeAllContentTypeParsers();
      scope.addContentTypeParser(
        ["image/png", "image/jpeg"],
        { parseAs: "buffer", bodyLimit: maxUploadBytes },
        (_, body, done) => done(null, body),
      );
      scope.post(
        "/images",
        {
          config: { starts: true },
          bodyLimit: maxUploadBytes,
          schema: {
            tags: ["pictures"],
            summary: "Classify a picture (PNG or JPEG)",
            consumes: ["image/png", "image/jpeg"],
            body: z.unknown().describe("the file"),
            querystring: waitSchema.extend({ broker: z.string().optional() }),
            response: { 200: runSchema, 202: acceptedSchema, default: problemSchema },
          },
        },
        async ({ body, query, headers }, reply) => {
          if (!(body instanceof Uint8Array))
            throw new Problem(415, "Not a picture that can be read", "the body is empty");
          const pixels = await readPicture(body, gallery?.side ?? defaultSide);
          const run = await desk.start(query.broker, { pixels, start: 0, end: 1 }, traceHeaders(headers));
          return answer(desk, run, query.wait, reply, prefix);
        },
      );
    });

    if (gallery === undefined) return;
    const bytes = gallery.side * gallery.side;
    app.get(
      "/images",
      {
        schema: {
          tags: ["pictures"],
          summary: `Pictures of the set: per picture one byte that is its true class, then ${bytes} grey values`,
          produces: ["application/octet-stream"],
          querystring: rangeSchema,
        },
      },
      ({ query: { start_idx: start, end_idx: end } }, reply) => {
        const most = Math.min(desk.settings.images, start + maxPictures);
        if (start >= end || end > most) {
          throw new Problem(400, "The request is not valid", `expected 0 <= start_idx < end_idx <= ${most}`);
        }
        const answered = Buffer.alloc((end - start) * (1 + bytes));
        for (let image = start; image < end; image += 1) {
          const at = (image - start) * (1 + bytes);
          answered[at] = gallery.labels[image] ?? 0;
          answered.set(gallery.images.subarray(image * bytes, (image + 1) * bytes), at + 1);
        }
        return reply.type("application/octet-stream").header("cache-control", "private, max-age=3600").send(answered);
      },
    );
  };
}
