import type { Observable } from "rxjs";
import { describe, expectTypeOf, test } from "vitest";
import {
  type AppState,
  type Broker,
  type DrainReport,
  type ErrorContext,
  type ErrorHandler,
  type Model,
  type Position,
  type RawRecord,
  StreamRecord,
  StreamsApp,
  StreamsBuilder,
  StreamsError,
  stringSerde,
  type Topology,
} from "millrace";
import { memoryBroker } from "millrace/memory";

declare const topology: Topology;
declare const app: StreamsApp;

describe("errors", () => {
  test("onError takes an answer, or a function that gives one", () => {
    const lines = new StreamsBuilder().stream("lines", { value: stringSerde, onError: "DEAD_LETTER" });
    lines.mapValues((line) => line, {
      onError: (error, context) => {
        expectTypeOf(error).toEqualTypeOf<StreamsError>();
        expectTypeOf(context).toEqualTypeOf<ErrorContext>();
        return error.retryable && context.attempt < 3 ? "RETRY" : "CONTINUE";
      },
    });
    // @ts-expect-error there is no such answer
    lines.mapValues((line) => line, { onError: "SKIP" });
    // @ts-expect-error a handler answers at once
    lines.mapValues((line) => line, { onError: async () => "CONTINUE" });
  });

  test("the app has a handler for each seam", () => {
    const handler: ErrorHandler = ({ code }) => (code === "ERR_DECODE" ? "DEAD_LETTER" : "FAIL");
    const options = { applicationId: "app", broker: memoryBroker() };
    new StreamsApp(topology, {
      ...options,
      errors: {
        decode: handler,
        process: "RETRY",
        publish: "FAIL",
        uncaught: ({ retryable }) => (retryable ? "RETRY" : "FAIL"),
      },
    });
    // @ts-expect-error what no record caused can't be skipped
    new StreamsApp(topology, { ...options, errors: { uncaught: () => "CONTINUE" } });
    // @ts-expect-error there is no such seam
    new StreamsApp(topology, { ...options, errors: { production: "FAIL" } });
  });

  test("the context says where and at what", () => {
    expectTypeOf<ErrorContext["position"]>().toEqualTypeOf<Position>();
    expectTypeOf<ErrorContext["record"]>().toEqualTypeOf<RawRecord>();
  });
});

describe("StreamsApp", () => {
  test("needs an id and a broker, and takes only what it knows", () => {
    expectTypeOf(memoryBroker()).toExtend<Broker>();
    // @ts-expect-error without a broker nothing runs
    new StreamsApp(topology, { applicationId: "app" });
    // @ts-expect-error there is no such guarantee
    new StreamsApp(topology, { applicationId: "app", broker: memoryBroker(), processingGuarantee: "at_most_once" });
    // @ts-expect-error there is no such option
    new StreamsApp(topology, { applicationId: "app", broker: memoryBroker(), maxInflight: 3 });
  });

  test("is observed and closed with types", () => {
    expectTypeOf(app.states).toEqualTypeOf<Observable<AppState>>();
    expectTypeOf(app.results("node")).toEqualTypeOf<Observable<StreamRecord<unknown, unknown>>>();
    expectTypeOf(app.close({ drainMs: 10 })).toEqualTypeOf<Promise<DrainReport>>();
    expectTypeOf(app.error).toEqualTypeOf<StreamsError | undefined>();
    expectTypeOf(app).toExtend<AsyncDisposable>();
  });
});

test("records change by copies, with new types", () => {
  expectTypeOf<StreamRecord<string, number>["withValue"]>().toBeFunction();
  const record = {} as StreamRecord<string, number>;
  expectTypeOf(record.withValue(true)).toEqualTypeOf<StreamRecord<string, boolean>>();
  expectTypeOf(record.withKey(null)).toEqualTypeOf<StreamRecord<null, number>>();
  expectTypeOf(record.withKeyValue(1, "a")).toEqualTypeOf<StreamRecord<number, string>>();
  expectTypeOf(record.withHeaders([])).toEqualTypeOf<StreamRecord<string, number>>();
  // @ts-expect-error a record does not change
  record.value = 2;
});

test("a model is closed, and told apart by what it takes", () => {
  expectTypeOf<Model<string, number>["predict"]>().toEqualTypeOf<
    (inputs: readonly string[]) => Promise<readonly number[]>
  >();
});
