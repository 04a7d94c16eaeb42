import { createRequire } from "node:module";
import { context, propagation, trace, type TextMapPropagator } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";

/** Registers an SDK whose spans stay in memory; the propagator is the one that the SDK itself depends on. */
export function registerSdk(): InMemorySpanExporter {
  const { resolve } = createRequire(import.meta.url);
  const { W3CTraceContextPropagator } = createRequire(resolve("@opentelemetry/sdk-trace-base"))(
    "@opentelemetry/core",
  ) as { readonly W3CTraceContextPropagator: new () => TextMapPropagator };
  const exporter = new InMemorySpanExporter();
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
  return exporter;
}
