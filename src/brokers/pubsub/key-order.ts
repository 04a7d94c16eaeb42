import { Fifo } from "../../core/fifo.ts";

/** What the queue asks of its items. */
export interface Keyed {
  /** The ordering key; undefined: no order to keep. */
  readonly key: string | undefined;
}

/** The items of one key: those that wait, and how many have passed and are not done. */
interface KeyState<T> {
  readonly key: string;
  readonly waiting: Fifo<T>;
  passed: number;
  /** Items that have passed and were given back: nothing passes until they are handed out again. */
  blocked: number;
  /** It stands among what is ready. */
  offered: boolean;
}

type Ready<T> = { readonly item: T } | { readonly state: KeyState<T> };

/**
 * Lets items of a key pass in the order of arrival, a bounded number at a time, and none past one that was given back; items without a key pass at
 * once. Keys take turns.
 *
 * Pub/Sub itself sends several of a key, and after a nack later ones before earlier ones (the emulator does).
 */
export class KeyOrder<T extends Keyed> {
  private readonly limit: number;
  private readonly ready = new Fifo<Ready<T>>();
  private readonly states = new Map<string, KeyState<T>>();

  /** @param limit most items of one key that have passed and are not done, minimum 1 */
  constructor(limit: number) {
    this.limit = limit;
  }

  /** Whether something of this key waits or has passed. */
  isBusy(key: string): boolean {
    return this.states.has(key);
  }

  push(item: T): void {
    const { key } = item;
    if (key === undefined) {
      this.ready.push({ item });
      return;
    }
    let state = this.states.get(key);
    if (state === undefined) {
      state = { key, waiting: new Fifo(), passed: 0, blocked: 0, offered: false };
      this.states.set(key, state);
    }
    state.waiting.push(item);
    this.offer(state);
  }

  /** The next item that may pass. */
  shift(): T | undefined {
    for (let next = this.ready.shift(); next !== undefined; next = this.ready.shift()) {
      if ("item" in next) return next.item;
      const { state } = next;
      state.offered = false;
      const item = this.mayPass(state) ? state.waiting.shift() : undefined;
      if (item === undefined) continue;
      state.passed += 1;
      this.offer(state);
      return item;
    }
    return undefined;
  }

  /** An item that had passed is done. */
  done(item: Keyed): void {
    const state = this.stateOf(item);
    if (state === undefined) return;
    state.passed -= 1;
    this.settle(state);
  }

  /** An item that had passed is given back: nothing of its key passes until `unblock`. */
  block(item: Keyed): void {
    const state = this.stateOf(item);
    if (state !== undefined) state.blocked += 1;
  }

  unblock(item: Keyed): void {
    const state = this.stateOf(item);
    if (state === undefined) return;
    state.blocked -= 1;
    this.offer(state);
  }

  /** Gives up a blocked item, and returns all that wait behind it, in order. */
  giveUp(item: Keyed): readonly T[] {
    const state = this.stateOf(item);
    if (state === undefined) return [];
    const waiting = state.waiting.clear();
    state.blocked -= 1;
    state.passed -= 1;
    this.settle(state);
    return waiting;
  }

  /** Takes out all that has not passed, in order within each key. */
  clear(): readonly T[] {
    const all = this.ready.clear().flatMap((next) => ("item" in next ? [next.item] : []));
    for (const state of this.states.values()) {
      all.push(...state.waiting.clear());
      state.offered = false;
      this.settle(state);
    }
    return all;
  }

  private stateOf({ key }: Keyed): KeyState<T> | undefined {
    return key === undefined ? undefined : this.states.get(key);
  }

  private settle(state: KeyState<T>): void {
    if (state.passed === 0 && state.waiting.size === 0) this.states.delete(state.key);
    else this.offer(state);
  }

  private offer(state: KeyState<T>): void {
    if (state.offered || !this.mayPass(state)) return;
    state.offered = true;
    this.ready.push({ state });
  }

  private mayPass({ waiting, passed, blocked }: KeyState<T>): boolean {
    return waiting.size > 0 && passed < this.limit && blocked === 0;
  }
}
