import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";

declare module "fastify" {
  interface FastifyContextConfig {
    /** Its requests start something: they are counted, and refused when another site sent them. */
    starts?: boolean;
    /** Answers without the token. */
    open?: boolean;
  }
}

/** A server whose routes are described by zod schemas. */
export type ZodServer = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** Largest body that is no picture, bytes. */
export const maxBodyBytes: number = 16 * 1_024;

/** An index as text in a URL or a form: digits only, since `Number("")` is 0. */
export const indexText: z.ZodType<number, string> = z
  .string()
  .regex(/^\d{1,15}$/, "expected a whole number of at least 0")
  .transform(Number);

/** Adds routes. @param prefix path under which they are reached, "" at the root */
export type Routes = (app: ZodServer, prefix: string) => void;
