import { describe, expect, test } from "vitest";
import { memoryBroker, type MemoryBroker } from "../../../src/brokers/memory/index.ts";
import type { Broker, BrokerCapabilities, BrokerSession, SessionOptions } from "../../../src/core/broker.ts";
import { StreamsApp } from "../../../src/runtime/streams-app.ts";
import { TopologyTestDriver, VirtualScheduler } from "../../../src/testing/index.ts";
import { text, through } from "../../topologies/streams.ts";
import { turn } from "../operators/harness.ts";

/** A memory broker whose `open` fails when told to; it knows what is open. */
class Flaky implements Broker {
  readonly memory: MemoryBroker = memoryBroker();
  readonly name = "flaky";
  readonly capabilities: BrokerCapabilities = this.memory.capabilities;
  readonly defaultMaxInFlight = 100;
  readonly sessions = new Set<BrokerSession>();
  fails = 0;

  async open(options: SessionOptions): Promise<BrokerSession> {
    if (this.fails > 0) {
      this.fails -= 1;
      throw new Error("not reachable");
    }
    const session = await this.memory.open(options);
    this.sessions.add(session);
    const close = session.close.bind(session);
    session.close = () => {
      this.sessions.delete(session);
      return close();
    };
    return session;
  }
}

describe("an app that mends itself", () => {
  test("goes on trying while the broker is away, and leaves no session open", async () => {
    const scheduler = new VirtualScheduler();
    const [source, sink] = [new Flaky(), new Flaky()];
    const app = new StreamsApp(
      through((stream) => stream),
      {
        applicationId: "test",
        broker: source,
        sinkBroker: sink,
        scheduler,
        errors: { uncaught: () => "RETRY" },
      },
    );
    await app.start();
    // The source's session can be opened each time, the sink's can't.
    sink.fails = 2;
    source.memory.faults.crash();
    for (let step = 0; step < 10; step += 1) {
      await turn();
      scheduler.advance(500);
    }
    await turn();
    expect(app.state).toBe("RUNNING");
    expect([source.sessions.size, sink.sessions.size]).toEqual([1, 1]);
    source.memory.publish([{ topic: "IN", key: null, value: new Uint8Array(1), headers: [], timestamp: 0 }]);
    await app.whenSettled(1);
    expect(sink.memory.records("OUT")).toHaveLength(1);
    await app.close();
    expect([source.sessions.size, sink.sessions.size]).toEqual([0, 0]);
  });

  test("goes on for as long as something gets done in between", async () => {
    await using driver = new TopologyTestDriver(
      through((stream) => stream),
      { errors: { uncaught: () => "RETRY" } },
    );
    const input = driver.createInputTopic("IN", text);
    for (let crash = 1; crash <= 8; crash += 1) {
      await input.pipeInput(String(crash));
      driver.broker.faults.crash();
      await driver.advanceWallClockTime(10_000);
    }
    expect(driver.app.state).toBe("RUNNING");
    expect(driver.metrics).toMatchObject({ restarts: 8, settled: 8 });
  });

  test("a handler of the uncaught that throws means FAIL", async () => {
    const driver = new TopologyTestDriver(
      through((stream) => stream),
      {
        rejectOnError: false,
        errors: {
          uncaught: () => {
            throw new Error("handler broke");
          },
        },
      },
    );
    await driver.createInputTopic("IN", text).pipeInput("a");
    driver.broker.faults.crash("cable cut");
    await driver.advanceWallClockTime(0);
    expect(driver.app.state).toBe("ERROR");
    expect(driver.app.error?.message).toBe("cable cut");
    await driver.close();
  });
});

describe("an app that is closed while it starts", () => {
  test("leaves no session open", async () => {
    const [source, sink] = [new Flaky(), new Flaky()];
    const app = new StreamsApp(
      through((stream) => stream),
      {
        applicationId: "test",
        broker: source,
        sinkBroker: sink,
      },
    );
    const started = app.start();
    await Promise.resolve();
    await app.close();
    await expect(started).rejects.toMatchObject({ code: "ERR_STOPPED" });
    await turn();
    expect([source.sessions.size, sink.sessions.size]).toEqual([0, 0]);
    expect(app.state).toBe("NOT_RUNNING");
  });
});
