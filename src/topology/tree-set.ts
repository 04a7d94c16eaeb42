interface Entry<T> {
  readonly value: T;
  red: boolean;
  left: Entry<T> | undefined;
  right: Entry<T> | undefined;
  parent: Entry<T> | undefined;
}

/**
 * A sorted set that places each value at the moment it is added and never moves it, as `java.util.TreeSet` does.
 *
 * That differs from sorting when what `compare` looks at changes between two `add` calls: where a value lands then
 * depends on the shape of the tree. Kafka Streams orders successors in such a set, so its shape is part of the text.
 *
 * Source: insertion into a red-black tree as in `java.util.TreeMap` (Cormen, Leiserson, Rivest: Introduction to
 * Algorithms).
 */
export class TreeSet<T> {
  readonly #compare: (a: T, b: T) => number;
  #root: Entry<T> | undefined;

  /** `compare` is negative when `a` comes first, and 0 only for the same value. */
  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  /** Puts `value` at its place; does nothing when the search for that place meets an equal value. */
  add(value: T): void {
    let parent: Entry<T> | undefined;
    let side: "left" | "right" = "left";
    for (let entry = this.#root; entry !== undefined; entry = entry[side]) {
      const order = this.#compare(value, entry.value);
      if (order === 0) return;
      parent = entry;
      side = order < 0 ? "left" : "right";
    }
    const added: Entry<T> = { value, red: true, left: undefined, right: undefined, parent };
    if (parent === undefined) this.#root = added;
    else parent[side] = added;
    this.#balance(added);
  }

  /** The values in order. */
  values(): T[] {
    const values: T[] = [];
    const walk = (entry: Entry<T> | undefined): void => {
      if (entry === undefined) return;
      walk(entry.left);
      values.push(entry.value);
      walk(entry.right);
    };
    walk(this.#root);
    return values;
  }

  #balance(added: Entry<T>): void {
    let entry = added;
    for (;;) {
      let parent = entry.parent;
      const grandparent = parent?.parent;
      // A red entry always has a parent, since the root is black: no grandparent means nothing to repair.
      if (parent === undefined || !parent.red || grandparent === undefined) break;
      const [near, far] = parent === grandparent.left ? (["left", "right"] as const) : (["right", "left"] as const);
      const uncle = grandparent[far];
      if (uncle?.red === true) {
        parent.red = false;
        uncle.red = false;
        grandparent.red = true;
        entry = grandparent;
        continue;
      }
      if (entry === parent[far]) {
        this.#rotate(parent, near, far);
        [entry, parent] = [parent, entry];
      }
      parent.red = false;
      grandparent.red = true;
      this.#rotate(grandparent, far, near);
      break;
    }
    if (this.#root !== undefined) this.#root.red = false;
  }

  /** Moves `entry` down to the side `to`; its child on the side `from` takes its place. */
  #rotate(entry: Entry<T>, to: "left" | "right", from: "left" | "right"): void {
    const child = entry[from];
    if (child === undefined) return;
    entry[from] = child[to];
    if (child[to] !== undefined) child[to].parent = entry;
    child.parent = entry.parent;
    if (entry.parent === undefined) this.#root = child;
    else entry.parent[entry === entry.parent.left ? "left" : "right"] = child;
    child[to] = entry;
    entry.parent = child;
  }
}
