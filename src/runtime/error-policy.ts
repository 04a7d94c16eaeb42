import type { Subscription } from "rxjs";
import { DecodeError, messageOf, ProcessError, PublishError, StoppedError, StreamsError } from "../core/errors.ts";
import type { Lineage } from "../core/lineage.ts";
import type { AnyEnvelope } from "../operators/envelope.ts";
import type { NodeErrors, NodeMetrics } from "../operators/node-context.ts";
import type { Seam } from "../topology/nodes.ts";
import type { ErrorAnswer, ErrorHandling } from "../topology/options.ts";
import type { Settings } from "./options.ts";

export type ErrorSeam = Seam | "decode";

/** What the policy is asked with: one node, one error, one record. */
interface Question {
  readonly node: string;
  readonly error: StreamsError;
  readonly metrics: NodeMetrics;
  readonly envelope: AnyEnvelope;
  readonly attempt: number;
  readonly retry: () => void;
}

/**
 * The one place where errors are decided: wraps what was thrown, asks the handler, does what it answers.
 *
 * A record in backoff keeps its share, and so its place in the line; a drain gives it back at once.
 */
export class ErrorPolicy {
  private readonly settings: Settings;
  private readonly fail: (error: unknown) => void;
  private readonly waiting = new Map<Lineage, Subscription>();
  private draining = false;

  /** @param fail stops the app with an error */
  constructor(settings: Settings, fail: (error: unknown) => void) {
    this.settings = settings;
    this.fail = fail;
  }

  /** Records in backoff. */
  get backingOff(): number {
    return this.waiting.size;
  }

  forNode(node: string, seam: ErrorSeam, own: ErrorHandling | undefined, metrics: NodeMetrics): NodeErrors {
    const handling = own ?? this.settings.errors[seam] ?? byKind;
    const attempts = new WeakMap<Lineage, number>();
    return {
      handle: (cause, envelope, retry) => {
        const { lineage, record } = envelope;
        metrics.errors += 1;
        const attempt = (attempts.get(lineage) ?? 0) + 1;
        attempts.set(lineage, attempt);
        const error = wrap(seam, node, cause, record.position);
        this.decide(handling, { node, error, metrics, envelope, attempt, retry });
      },
      uncaught: (cause) => this.fail(cause),
    };
  }

  /** A drain begins: what waits for another attempt is given back, and so is what would have to wait for one from now on. */
  drain(): void {
    this.draining = true;
    for (const [lineage, timer] of this.waiting) {
      timer.unsubscribe();
      lineage.release(drained());
    }
    this.waiting.clear();
  }

  /** Everything has stopped: nothing is tried again. */
  stop(): void {
    for (const timer of this.waiting.values()) timer.unsubscribe();
    this.waiting.clear();
  }

  private decide(handling: ErrorHandling, question: Question): void {
    const { node, error, metrics, envelope, attempt } = question;
    const { lineage } = envelope;
    if (lineage.root.over) return lineage.done();
    switch (this.answer(handling, question)) {
      case "CONTINUE":
        metrics.dropped += 1;
        this.settings.logger.warn({ node, position: envelope.record.position, attempt, err: error }, "record skipped");
        return lineage.done();
      case "DEAD_LETTER":
        return lineage.fail(node, error);
      case "RETRY":
        return this.retryLater(question);
      case "FAIL":
        return this.fail(error);
    }
  }

  private answer(handling: ErrorHandling, { node, error, envelope, attempt }: Question): ErrorAnswer {
    if (typeof handling === "string") return handling;
    const { record } = envelope.lineage.root.delivery;
    try {
      return handling(error, { node, position: envelope.record.position, attempt, record });
    } catch (cause) {
      this.fail(
        new ProcessError(`the error handler of ${node} threw: ${messageOf(cause)}`, envelope.record.position, {
          cause,
        }),
      );
      return "FAIL";
    }
  }

  private retryLater({ node, error, envelope, attempt, retry }: Question): void {
    const { scheduler, logger, retry: settings } = this.settings;
    const { lineage } = envelope;
    if (attempt >= settings.attempts) {
      if (error.retryable) return this.fail(error);
      return lineage.fail(node, error);
    }
    if (this.draining) return lineage.release(drained());
    const delay = Math.min(settings.minDelayMs * 2 ** (attempt - 1), settings.maxDelayMs);
    logger.debug(
      { node, position: envelope.record.position, attempt, delay, err: error },
      "record will be tried again",
    );
    const timer = scheduler.schedule(() => {
      this.waiting.delete(lineage);
      retry();
    }, delay);
    this.waiting.set(lineage, timer);
  }
}

function drained(): StoppedError {
  return new StoppedError("drained while waiting for another attempt");
}

function byKind(error: StreamsError): ErrorAnswer {
  return error.retryable ? "RETRY" : "FAIL";
}

function wrap(seam: ErrorSeam, node: string, cause: unknown, position: string): StreamsError {
  if (cause instanceof StreamsError) return cause;
  const message = `${node}: ${messageOf(cause)}`;
  if (seam === "decode") return new DecodeError(message, position, { cause });
  if (seam === "publish") return new PublishError(message, position, { cause, retryable: false });
  return new ProcessError(message, position, { cause });
}
