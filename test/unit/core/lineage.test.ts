import { describe, expect, test, vi } from "vitest";
import { Line } from "../../../src/core/line.ts";
import type { Exit, Lineage } from "../../../src/core/lineage.ts";
import { Harness } from "../operators/harness.ts";

/** Leaves a name in `left`, or waits, or fails. */
class NamedExit implements Exit {
  readonly failures: (() => void)[] = [];
  private readonly name: string;
  private readonly left: string[];
  private readonly act: () => Promise<void> | undefined;

  constructor(name: string, left: string[], act: () => Promise<void> | undefined = () => undefined) {
    this.name = name;
    this.left = left;
    this.act = act;
  }

  leave(): Promise<void> | undefined {
    const result = this.act();
    this.left.push(this.name);
    return result;
  }

  failed(_cause: unknown, _exited: Lineage, retry: () => void): void {
    this.failures.push(retry);
  }
}

function share(harness: Harness, value: string, line?: Line): Lineage {
  return harness.envelope(value, line === undefined ? {} : { line }).lineage;
}

describe("the count of shares", () => {
  test("a delivery is settled when its record and all its children have ended", () => {
    const harness = new Harness();
    const root = share(harness, "a");
    const [one, two] = [root.fork(), root.fork()];
    const grandchild = one.fork();
    root.done();
    two.done();
    one.done();
    expect(harness.ended.settled).toEqual([]);
    grandchild.done();
    expect(harness.ended.settled).toEqual(["a"]);
  });

  test("paths are the child indices from the delivery", () => {
    const root = share(new Harness(), "a");
    root.fork();
    expect([root.path, root.fork().path, root.fork().fork().path]).toEqual(["", "/1", "/2/0"]);
  });

  test("released once, it is given back when the rest has ended, and never settled", () => {
    const harness = new Harness();
    const root = share(harness, "a");
    const child = root.fork();
    child.release(new Error("no"));
    expect(root.root.over).toBe(true);
    expect(harness.ended.released).toEqual([]);
    root.done();
    expect(harness.ended).toEqual({ settled: [], released: ["a"], lost: [] });
  });

  test("halted, it ends without a word", () => {
    const harness = new Harness();
    const root = share(harness, "a");
    harness.halted = true;
    root.done();
    expect(harness.ended).toEqual({ settled: [], released: [], lost: [] });
  });

  test("failures are kept by node, with the paths", () => {
    const root = share(new Harness(), "a");
    const error = new Error("no");
    const children = [root.fork(), root.fork(), root.fork()];
    children[0]?.fail("one", error);
    children[2]?.fail("one", error);
    root.fail("two", error);
    expect([...(root.root.failures?.values() ?? [])]).toEqual([
      { node: "one", error, paths: ["/0", "/2"] },
      { node: "two", error, paths: [""] },
    ]);
  });
});

describe("the line", () => {
  test("exits leave in the order of the making, children before what comes later", () => {
    const harness = new Harness();
    const line = new Line();
    const left: string[] = [];
    const first = share(harness, "first", line);
    const second = share(harness, "second", line);
    const [a, b] = [first.fork(), first.fork()];
    const deep = a.fork();
    second.exit(new NamedExit("second", left));
    b.exit(new NamedExit("b", left));
    deep.exit(new NamedExit("deep", left));
    expect(left).toEqual(["deep"]);
    a.done();
    expect(left).toEqual(["deep", "b"]);
    first.done();
    expect(left).toEqual(["deep", "b", "second"]);
  });

  test("what ends with nothing leaves from the middle", () => {
    const harness = new Harness();
    const line = new Line();
    const left: string[] = [];
    const [a, b, c] = ["a", "b", "c"].map((value) => share(harness, value, line));
    c?.exit(new NamedExit("c", left));
    b?.done();
    expect(left).toEqual([]);
    a?.done();
    expect(left).toEqual(["c"]);
  });

  test("who steps out is not waited for", () => {
    const harness = new Harness();
    const line = new Line();
    const left: string[] = [];
    const [a, b] = ["a", "b"].map((value) => share(harness, value, line));
    b?.exit(new NamedExit("b", left));
    a?.stepOut();
    expect(left).toEqual(["b"]);
    a?.exit(new NamedExit("a", left));
    expect(left).toEqual(["b", "a"]);
  });

  test("an exit that fails is back at its place: those behind it wait for the retry", () => {
    const harness = new Harness();
    const line = new Line();
    const left: string[] = [];
    let fails = true;
    const [a, b] = ["a", "b"].map((value) => share(harness, value, line));
    const exit = new NamedExit("a", left, () => {
      if (fails) throw new Error("full");
      return undefined;
    });
    a?.exit(exit);
    b?.exit(new NamedExit("b", left));
    expect(left).toEqual([]);
    fails = false;
    exit.failures[0]?.();
    expect(left).toEqual(["a", "b"]);
    expect(harness.ended.settled).toEqual(["a", "b"]);
  });

  test("who stepped out and fails does not come back into the line", () => {
    const harness = new Harness();
    const line = new Line();
    const left: string[] = [];
    const [a, b] = ["a", "b"].map((value) => share(harness, value, line));
    a?.stepOut();
    a?.exit(
      new NamedExit("a", left, () => {
        throw new Error("full");
      }),
    );
    b?.exit(new NamedExit("b", left));
    expect(left).toEqual(["b"]);
  });

  test("several that fail after they have left are back in their order", async () => {
    const harness = new Harness();
    const line = new Line();
    const left: string[] = [];
    const [a, b, c] = ["a", "b", "c"].map((value) => share(harness, value, line));
    let reject: ((cause: Error) => void) | undefined;
    const away = new Promise<void>((_, fail) => (reject = fail));
    const exits = ["a", "b"].map((name) => {
      let first = true;
      return new NamedExit(name, left, () => {
        const result = first ? away : undefined;
        first = false;
        return result;
      });
    });
    a?.exit(exits[0]!);
    b?.exit(exits[1]!);
    reject?.(new Error("no leader"));
    await away.catch(() => {});
    await Promise.resolve();
    c?.exit(new NamedExit("c", left));
    left.length = 0;
    exits[1]?.failures[0]?.();
    expect(left).toEqual([]);
    exits[0]?.failures[0]?.();
    expect(left).toEqual(["a", "b", "c"]);
  });

  test("an exit of a delivery that is over does not leave", () => {
    const harness = new Harness();
    const line = new Line();
    const left: string[] = [];
    const a = share(harness, "a", line);
    const child = a.fork();
    a.release(new Error("no"));
    child.exit(new NamedExit("child", left));
    expect(left).toEqual([]);
    expect(harness.ended.released).toEqual(["a"]);
  });

  test("tells when it is empty and nothing is away", async () => {
    const harness = new Harness();
    const emptied = vi.fn();
    const line = new Line(emptied);
    let arrive: (() => void) | undefined;
    const away = new Promise<void>((resolve) => (arrive = resolve));
    share(harness, "a", line).exit(new NamedExit("a", [], () => away));
    expect(emptied).not.toHaveBeenCalled();
    arrive?.();
    await away;
    await Promise.resolve();
    expect(emptied).toHaveBeenCalled();
    expect(harness.ended.settled).toEqual(["a"]);
  });

  test("a thousand waiting exits leave without a deep stack", () => {
    const harness = new Harness();
    const line = new Line();
    const left: string[] = [];
    const shares = Array.from({ length: 20_000 }, (_, index) => share(harness, String(index), line));
    for (const one of shares.slice(1)) one.exit(new NamedExit("x", left));
    shares[0]?.done();
    expect(left).toHaveLength(19_999);
  });
});
