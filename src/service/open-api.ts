import { createRequire } from "node:module";
import swagger, { type SwaggerTransform } from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance } from "fastify";
import { jsonSchemaTransform } from "fastify-type-provider-zod";

/** Describes the routes that are added after it, and shows that at `docs`. @param locked whether a token is needed */
export async function openApi(server: FastifyInstance, locked: boolean): Promise<void> {
  const { version } = createRequire(import.meta.url)("millrace/package.json") as { readonly version: string };
  await server.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: { title: "millrace trigger", description: "Starts runs and shows their answers.", version },
      ...(locked && {
        components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
        security: [{ token: [] }],
      }),
    },
    transform: jsonSchemaTransform,
  });
  await server.register(swaggerUi, { routePrefix: "/docs", staticCSP: true });
}

/** Lets the `@fastify/swagger` of a server around us describe our routes too: their schemas are zod's, which it can't read by itself. */
export function describeForOthers(server: FastifyInstance): void {
  server.addHook("onRoute", (route) => {
    const swaggerTransform: SwaggerTransform = (document) =>
      "openapiObject" in document ? jsonSchemaTransform(document) : { schema: { hide: true }, url: document.url };
    route.config = { ...route.config, swaggerTransform };
  });
}
