import { createRequire } from "node:module";
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance } from "fastify";
import { jsonSchemaTransform, jsonSchemaTransformObject } from "fastify-type-provider-zod";

/** Describes the routes that are added after it, and shows that at `docs`. */
export async function openApi(server: FastifyInstance): Promise<void> {
  const { version } = createRequire(import.meta.url)("millrace/package.json") as { readonly version: string };
  await server.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: { title: "millrace trigger", description: "Starts runs and shows their answers.", version },
      components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
    },
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  });
  await server.register(swaggerUi, { routePrefix: "/docs", staticCSP: true });
}
