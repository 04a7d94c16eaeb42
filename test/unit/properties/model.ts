import { isFork, nameOf, type Operation, type Step } from "./operation.ts";
import { children, fails, goesLeft, keyFor, mapped, passes } from "./values.ts";

export interface Item {
  readonly key: string | null;
  readonly value: number;
}

export interface Result extends Item {
  readonly topic: string;
}

/** What must come of one delivery. */
export interface Expected {
  /** In the order in which one thread would make them. */
  readonly results: readonly Result[];
  /** Nodes that must leave a dead letter. */
  readonly deadLetters: ReadonlySet<string>;
}

/** What a topology makes of one record, computed over plain arrays: no promise, no time, no retry. */
export function expectedOf(operations: readonly Operation[], item: Item): Expected {
  const results: Result[] = [];
  const deadLetters = new Set<string>();
  walk(operations, [], item, { results, deadLetters, next: (last) => results.push({ ...last, topic: "OUT" }) });
  return { results, deadLetters };
}

interface Walk {
  readonly results: Result[];
  readonly deadLetters: Set<string>;
  readonly next: (item: Item) => void;
}

function walk(
  list: readonly Operation[],
  place: readonly (string | number)[],
  item: Item,
  walking: Walk,
  from = 0,
): void {
  const operation = list[from];
  if (operation === undefined) return walking.next(item);
  const here = [...place, from];
  const onward = (made: Item): void => walk(list, place, made, walking, from + 1);
  if (isFork(operation)) {
    const into = (way: "left" | "right"): void =>
      walk(operation[way], [...here, way], item, { ...walking, next: onward });
    if (operation.kind === "fan" || goesLeft(item.value, operation)) into("left");
    if (operation.kind === "fan" || !goesLeft(item.value, operation)) into("right");
    return;
  }
  if (operation.kind === "side") walking.results.push({ ...item, topic: "SIDE" });
  const failed = fails(item.value, operation.failure) && operation.failure?.always === true;
  if (failed && operation.failure?.answer !== "CONTINUE") walking.deadLetters.add(nameOf(here));
  for (const made of madeBy(operation, item, failed)) onward(made);
}

/** The records that one operation makes of one, or has made before it failed. */
function madeBy(operation: Step, item: Item, failed: boolean): readonly Item[] {
  const { key, value } = item;
  const many = (): Item[] => children(value, operation).map((child) => ({ key, value: child }));
  if (failed) return operation.kind === "flatMap" && operation.lazy ? many().slice(0, 1) : [];
  switch (operation.kind) {
    case "filter":
      return passes(value, operation) ? [item] : [];
    case "selectKey":
      return [{ key: keyFor(value, operation), value }];
    case "flatMap":
    case "mergeMap":
    case "process":
      return many();
    case "side":
      return [item];
    case "map":
    case "mapAsync":
    case "mapBatch":
      return [{ key, value: mapped(value, operation) }];
  }
}
