import { z } from "zod";
import type { Desk } from "../desk.ts";
import { Problem, problemSchema } from "../problems.ts";
import { traceHeaders } from "../tracing.ts";
import { indexText, type Routes } from "./routes.ts";

const querySchema = z.object({
  start_idx: indexText,
  end_idx: indexText,
});

/** What the system that this replaces had: `/kafka/push-to-consumer?start_idx=0&end_idx=1`, by GET or POST. */
export function pushRoutes(desk: Desk): Routes {
  return (app) => {
    app.route({
      method: ["GET", "POST"],
      url: "/:broker/push-to-consumer",
      exposeHeadRoute: false,
      config: { starts: true },
      schema: {
        tags: ["push"],
        summary: "Classify a range of images, as the predecessor took it",
        params: z.object({ broker: z.string() }),
        querystring: querySchema,
        response: {
          200: z.object({ message_queue: z.string(), start_idx: z.number(), end_idx: z.number() }),
          default: problemSchema,
        },
      },
      handler: async ({ params: { broker }, query: { start_idx, end_idx }, headers }) => {
        if (!desk.brokers.includes(broker)) {
          throw new Problem(404, "No such broker", `there are: ${desk.brokers.join(", ")}`);
        }
        await desk.start(broker, { start: start_idx, end: end_idx }, traceHeaders(headers));
        return { message_queue: broker, start_idx, end_idx };
      },
    });
  };
}
