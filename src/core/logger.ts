/**
 * What the library asks of a logger: the shape of pino, of Fastify's logger and, nearly, of `console`.
 *
 * Nothing secret is ever passed to it; record values are passed at `trace` level only.
 */
export interface Logger {
  trace(fields: object, message: string): void;
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

const nothing = (): void => {};

/** A logger that says nothing: the default of the library, which never writes to a console by itself. */
export const silentLogger: Logger = { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing };
