import {
  context as contexts,
  ProxyTracerProvider,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Link,
  type Span,
  type Tracer,
} from "@opentelemetry/api";
import type { Delivery } from "../core/broker.ts";
import { messageOf, StreamsError } from "../core/errors.ts";
import type { Headers, OutgoingRecord } from "../core/record.ts";
import type { DeliverySpan, TracedBatch, Tracing } from "../core/tracing.ts";
import { carrying, contextOf } from "./carrier.ts";

/** Instrumentation scope of the spans. */
const scope = "millrace";

/**
 * Spans by OpenTelemetry, for `tracing` of `StreamsApp`. Undefined when no SDK is registered: register it first, as `node --import` does.
 *
 * Names and attributes are those of OpenTelemetry's semantic conventions for messaging; context travels in the headers (at Pub/Sub: attributes) that the registered
 * propagator writes, as a rule `traceparent` and `tracestate`.
 */
export function openTelemetry(): Tracing | undefined {
  const provider = trace.getTracerProvider();
  // Without an SDK the global provider is a proxy that has nobody to delegate to.
  // oxlint-disable-next-line typescript/no-deprecated -- the API has no other way to ask
  if (provider instanceof ProxyTracerProvider && provider.getDelegateTracer(scope) === undefined) return undefined;
  return new OpenTelemetry(provider.getTracer(scope));
}

class OpenTelemetry implements Tracing {
  private readonly tracer: Tracer;

  constructor(tracer: Tracer) {
    this.tracer = tracer;
  }

  process({ record, position, attempt }: Delivery, broker: string, groupId: string): DeliverySpan {
    const attributes = {
      ...messaging("process", broker, record.topic),
      "messaging.consumer.group.name": groupId,
      ...(record.partition !== undefined && { "messaging.destination.partition.id": String(record.partition) }),
      "millrace.position": position,
      "millrace.attempt": attempt,
    };
    const { span, context } = this.begin(
      `process ${record.topic}`,
      { kind: SpanKind.CONSUMER, attributes },
      contextOf(record.headers),
    );
    return { headers: carrying(record.headers, context), end: (cause) => end(span, cause) };
  }

  async batch<T>({ node, rows, sources }: TracedBatch, call: () => Promise<T>): Promise<T> {
    const attributes = {
      "messaging.batch.message_count": sources.length,
      "millrace.node": node,
      "millrace.rows": rows,
    };
    const options = { kind: SpanKind.INTERNAL, attributes, links: linksTo(sources) };
    const { span, context } = this.begin(`batch ${node}`, options, ROOT_CONTEXT);
    try {
      const result = await contexts.with(context, call);
      end(span);
      return result;
    } catch (cause) {
      end(span, cause);
      throw cause;
    }
  }

  send(
    record: OutgoingRecord,
    broker: string,
    write: (record: OutgoingRecord) => Promise<void> | undefined,
  ): Promise<void> | undefined {
    const { topic, partition, key, value, headers, timestamp } = record;
    const attributes = messaging("send", broker, topic);
    const { span, context } = this.begin(`send ${topic}`, { kind: SpanKind.PRODUCER, attributes }, contextOf(headers));
    try {
      const sent = write({ topic, partition, key, value, headers: carrying(headers, context), timestamp });
      if (sent === undefined) end(span);
      else
        void sent.then(
          () => end(span),
          (cause: unknown) => end(span, cause),
        );
      return sent;
    } catch (cause) {
      end(span, cause);
      throw cause;
    }
  }

  private begin(
    name: string,
    options: { readonly kind: SpanKind; readonly attributes: Attributes; readonly links?: Link[] },
    parent: Context,
  ): { readonly span: Span; readonly context: Context } {
    const span = this.tracer.startSpan(name, options, parent);
    return { span, context: trace.setSpan(parent, span) };
  }
}

/** Names that the conventions give to systems whose drivers are called otherwise. */
const systems: Readonly<Record<string, string>> = { pubsub: "gcp_pubsub" };

function messaging(operation: "process" | "send", broker: string, topic: string): Attributes {
  return {
    "messaging.system": systems[broker] ?? broker,
    "messaging.operation.name": operation,
    "messaging.operation.type": operation,
    "messaging.destination.name": topic,
  };
}

/** One link for each span that the headers name: records that were made from one delivery name the same. */
function linksTo(sources: readonly Headers[]): Link[] {
  const links = new Map<string, Link>();
  for (const headers of sources) {
    const context = trace.getSpanContext(contextOf(headers));
    if (context !== undefined) links.set(context.spanId, { context });
  }
  return [...links.values()];
}

function end(span: Span, cause?: unknown): void {
  if (cause !== undefined) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: messageOf(cause) });
    span.setAttribute("error.type", cause instanceof StreamsError ? cause.code : "_OTHER");
  }
  span.end();
}
