import { instance, type Viz } from "@viz-js/viz";
import { z } from "zod";
import type { StreamsApp } from "../../runtime/streams-app.ts";
import type { Routes } from "./routes.ts";

/** Graphviz, compiled once for all. */
let graphviz: Promise<Viz> | undefined;

/** Keeps the label of a sub-topology out of the way of arrows. */
const graphAttributes = { labeljust: "l" };

/** Room in each node for what the page writes into it: name, depth, rate and busy share; inches. */
const nodeAttributes = { width: 2.3, height: 0.7 };

/** The topology of the app in this process, drawn. */
export function topologyRoutes({ topology }: StreamsApp): Routes {
  let svg: string | undefined;
  return (app) => {
    app.get(
      "/topology.svg",
      { schema: { tags: ["topology"], summary: "The topology as a picture", produces: ["image/svg+xml"] } },
      async (_, reply) => {
        graphviz ??= instance();
        svg ??= (await graphviz).renderString(topology.describe("dot"), {
          format: "svg",
          graphAttributes,
          nodeAttributes,
        });
        return reply.type("image/svg+xml").send(svg);
      },
    );
    app.get(
      "/topology",
      {
        schema: {
          tags: ["topology"],
          summary: "The topology in Kafka Streams' text format, as Mermaid or as DOT",
          querystring: z.object({ format: z.enum(["text", "mermaid", "dot"]).default("text") }),
          produces: ["text/plain"],
        },
      },
      ({ query }, reply) => reply.type("text/plain; charset=utf-8").send(topology.describe(query.format)),
    );
  };
}
