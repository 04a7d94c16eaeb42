import { expect, test } from "vitest";
import { Gate } from "../../../../src/engines/pool/gate.ts";

const soon = (): number => performance.now() + 20;

test("a worker goes in and out", () => {
  const gate = new Gate();
  expect(gate.enter()).toBe(true);
  gate.leave();
  expect(gate.enter()).toBe(true);
});

test("a shut gate lets nobody in", () => {
  const gate = new Gate();
  expect(gate.shut(soon())).toBe(true);
  expect(gate.enter()).toBe(false);
  expect(gate.shut(soon())).toBe(true);
});

test("shutting waits for the one inside, until the deadline", () => {
  const gate = new Gate();
  const sameGate = new Gate(gate.shared);
  expect(sameGate.enter()).toBe(true);
  const begun = performance.now();
  expect(gate.shut(begun + 20)).toBe(false);
  expect(performance.now() - begun).toBeGreaterThanOrEqual(19);
  sameGate.leave();
  expect(gate.shut(soon())).toBe(true);
});
