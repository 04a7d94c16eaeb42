import { createRequire } from "node:module";
import { dirname, join, sep } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { PartitionAssigner } from "kafkajs";
import type { Logger } from "../../core/logger.ts";
import type { Header } from "../../core/record.ts";
import { withoutAborted } from "./aborted-records.ts";

/** The only version whose modules are changed. */
const KAFKAJS_VERSION = "2.2.4";

/** Under which a message that was read keeps its headers in the order in which they were written. */
export const orderedHeaders: unique symbol = Symbol("orderedHeaders");

/** What to finish before a rejoin. `heartbeat` keeps the session alive meanwhile; it never rejects. */
export type RejoinHook = (heartbeat: () => Promise<void>) => Promise<void>;

const require = createRequire(import.meta.url);
const hooks = new WeakMap<object, RejoinHook>();
let done = false;

/**
 * Mends seven faults of kafkajs 2.2.4, once per process: call it before `kafkajs` is required. Another version is left alone, with a warning.
 *
 * 1. The timer of the request queue, which fires every millisecond on an idle connection.
 * 2. The filter of aborted records, which lets some through.
 * 3. A rejoin waits for what is in flight, see {@link onRejoin}.
 * 4. Headers of records that are read keep their order, see {@link orderedHeaders}.
 * 5. A member whose connection fails while it joins comes back under the id that it was given: without, the group waits until that one's session is over.
 * 6. A batch that compaction has emptied, at which a consumer stays for ever.
 * 7. Sorting messages by partition, whose time grows with the square of their number.
 *
 * When an application has loaded kafkajs before, its copy stays as it is: the modules are loaded a second time.
 */
export function applyKafkajsFixes(logger: Logger): void {
  if (done) return;
  done = true;
  const manifest = require.resolve("kafkajs/package.json");
  // The manifest of a package has a version.
  const { version } = require(manifest) as { readonly version: string };
  if (version !== KAFKAJS_VERSION) {
    logger.warn(
      { version, expected: KAFKAJS_VERSION },
      "kafkajs is not the version that the fixes were made for: none is applied",
    );
    return;
  }
  const root = dirname(manifest);
  forgetModules(root);
  const source = join(root, "src");
  fixAbortedRecords(source);
  fixHeaderOrder(source);
  fixBatchEnds(source);
  fixGrouping(source);
  fixIdleTimer(source);
  fixRejoin(source);
  fixJoin(source);
}

/**
 * Partition assigners for a consumer, whose rejoins then wait for `hook`: round robin, as by default.
 *
 * kafkajs shows no way from a consumer to its group. Both know the assigner, which is made once per consumer: so it is the key
 * under which the group finds the hook.
 */
export function onRejoin(hook: RejoinHook): PartitionAssigner[] {
  return [
    (config) => {
      // Its own types describe what kafkajs exports.
      const { PartitionAssigners } = require("kafkajs") as typeof import("kafkajs");
      const assigner = PartitionAssigners.roundRobin(config);
      hooks.set(assigner, hook);
      return assigner;
    },
  ];
}

function forgetModules(root: string): void {
  for (const path of Object.keys(require.cache)) {
    if (path.startsWith(root + sep)) delete require.cache[path];
  }
}

/** Gives every later `require` of a module another export. `T` is what the module exports, by its source. */
function replace<T>(path: string, change: (original: T) => T): void {
  const original = require(path) as T;
  const module = require.cache[require.resolve(path)];
  if (module !== undefined) Object.assign(module, { exports: change(original) });
}

/** Before `consumer/batch` is loaded, which keeps the function. */
function fixAbortedRecords(source: string): void {
  replace<typeof withoutAborted>(join(source, "consumer/filterAbortedMessages"), () => withoutAborted);
}

interface DecodedHeader {
  readonly key: string;
  readonly value: Buffer | null;
}

/** Before `protocol/recordBatch/v0/decoder` is loaded. Decoding a record is synchronous, so one list serves all. */
function fixHeaderOrder(source: string): void {
  let headers: Header[] = [];
  const empty = Buffer.alloc(0);
  replace<(decoder: unknown) => DecodedHeader>(
    join(source, "protocol/recordBatch/header/v0/decoder"),
    (original) => (decoder) => {
      const header = original(decoder);
      headers.push([header.key, header.value ?? empty]);
      return header;
    },
  );
  replace<(decoder: unknown, context: unknown) => object>(
    join(source, "protocol/recordBatch/record/v0/decoder"),
    (original) => (decoder, context) => {
      headers = [];
      return Object.assign(original(decoder, context), { [orderedHeaders]: headers });
    },
  );
}

interface RecordBatch {
  readonly firstOffset: string;
  readonly lastOffsetDelta: number;
  readonly records: { readonly offset: string }[];
}

/**
 * Ends a batch that has lost its last records with a control record, which no consumer sees: kafkajs goes on behind the last record that it
 * knows of, and fetches an empty batch again and again. After `fixHeaderOrder`, whose decoder this one loads.
 */
function fixBatchEnds(source: string): void {
  replace<(decoder: unknown) => Promise<RecordBatch>>(
    join(source, "protocol/recordBatch/v0/decoder"),
    (original) => async (decoder) => {
      const batch = await original(decoder);
      const offset = String(BigInt(batch.firstOffset) + BigInt(batch.lastOffsetDelta));
      if (batch.records.at(-1)?.offset !== offset) {
        const { records: _, ...batchContext } = batch;
        const end = { offset, key: null, value: null, headers: {}, isControlRecord: true, batchContext };
        batch.records.push(end);
      }
      return batch;
    },
  );
}

interface ToGroup<M> {
  readonly topic: string;
  readonly partitionMetadata: readonly unknown[];
  readonly messages: readonly M[];
  readonly partitioner: (one: {
    readonly topic: string;
    readonly partitionMetadata: readonly unknown[];
    readonly message: M;
  }) => number;
}

/** Before `producer/sendMessages` is loaded. kafkajs copies a partition's list for each message. */
function fixGrouping(source: string): void {
  replace<(given: ToGroup<unknown>) => Record<number, unknown[]>>(
    join(source, "producer/groupMessagesPerPartition"),
    () =>
      ({ topic, partitionMetadata, messages, partitioner }) => {
        const groups: Record<number, unknown[]> = {};
        if (partitionMetadata.length === 0) return groups;
        for (const message of messages)
          (groups[partitioner({ topic, partitionMetadata, message })] ??= []).push(message);
        return groups;
      },
  );
}

interface RequestQueue {
  readonly pending: readonly unknown[];
  readonly throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  checkPendingRequests(): void;
  scheduleCheckPendingRequests(): void;
}

/** Time after which kafkajs looks again at requests that are held back by something else than throttling, milliseconds. */
const CHECK_INTERVAL_MS = 10;

function fixIdleTimer(source: string): void {
  const { prototype } = require(join(source, "network/requestQueue")) as { prototype: RequestQueue };
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue): void {
    if (this.throttleCheckTimeoutId !== null || this.pending.length === 0) return;
    const left = this.throttledUntil - Date.now();
    this.throttleCheckTimeoutId = setTimeout(
      () => {
        this.throttleCheckTimeoutId = null;
        this.checkPendingRequests();
      },
      left > 0 ? left : CHECK_INTERVAL_MS,
    );
  };
}

interface ConsumerGroup {
  memberId: string | null;
  readonly generationId: number | null;
  readonly assigners: readonly object[];
  heartbeat(options: { readonly interval: number }): Promise<void>;
  joinAndSync: (this: ConsumerGroup) => Promise<void>;
}

function fixRejoin(source: string): void {
  const { prototype } = require(join(source, "consumer/consumerGroup")) as { prototype: ConsumerGroup };
  const joinAndSync = prototype.joinAndSync;
  prototype.joinAndSync = async function (this: ConsumerGroup): Promise<void> {
    const hook = this.generationId === null ? undefined : findHook(this);
    if (hook !== undefined) await hook(() => beat(this));
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await joinAndSync.call(this);
      } catch (error) {
        if (attempt === joinAttempts || this.memberId === null || !isRetriable(error)) throw error;
        await sleep(50 * 2 ** attempt);
      }
    }
  };
}

/** After which a consumer is replaced, as kafkajs would do at once. */
const joinAttempts = 5;

function isRetriable(error: unknown): boolean {
  return error instanceof Error && "retriable" in error && error.retriable === true;
}

function findHook(group: ConsumerGroup): RejoinHook | undefined {
  for (const assigner of group.assigners) {
    const hook = hooks.get(assigner);
    if (hook !== undefined) return hook;
  }
  return undefined;
}

async function beat(group: ConsumerGroup): Promise<void> {
  try {
    await group.heartbeat({ interval: 0 });
  } catch {
    // The answer is that a rebalance is in progress, which is why we are here: the session lives on all the same.
  }
}

type JoinRequest = Readonly<Record<string, unknown>>;

interface Broker {
  lookupRequest(apiKey: number, definition: unknown): (request: JoinRequest) => unknown;
  joinGroup(request: JoinRequest): Promise<unknown>;
}

/** The broker gives a new member an id, and has it join again with that. kafkajs forgets the id when the second request fails. */
function fixJoin(source: string): void {
  const { prototype: broker } = require(join(source, "broker")) as { readonly prototype: Broker };
  const { prototype: group } = require(join(source, "consumer/consumerGroup")) as { readonly prototype: ConsumerGroup };
  const { requests } = require(join(source, "protocol/requests")) as {
    readonly requests: { readonly JoinGroup: unknown };
  };
  const apiKeys = require(join(source, "protocol/requests/apiKeys")) as { readonly JoinGroup: number };
  const send = privateMethod<Broker, [request: unknown]>(broker, "private:Broker:sendRequest");
  const joining = privateMethod<ConsumerGroup, []>(group, "private:ConsumerGroup:join");
  broker.joinGroup = function (this: Broker, request) {
    const definition = this.lookupRequest(apiKeys.JoinGroup, requests.JoinGroup);
    return send.method.call(this, definition({ protocolType: "consumer", ...request }));
  };
  const joinUnderOneId = async function (this: ConsumerGroup): Promise<unknown> {
    try {
      return await joining.method.call(this);
    } catch (error) {
      if (!(error instanceof Error && "memberId" in error && typeof error.memberId === "string")) throw error;
      this.memberId = error.memberId;
      return joining.method.call(this);
    }
  };
  Object.assign(group, { [joining.name]: joinUnderOneId });
}

type PrivateMethod<T, A extends readonly unknown[]> = (this: T, ...args: A) => Promise<unknown>;

/** A method that a class of kafkajs keeps under a symbol of its own. */
function privateMethod<T extends object, A extends readonly unknown[]>(
  prototype: T,
  description: string,
): { readonly name: symbol; readonly method: PrivateMethod<T, A> } {
  const name = Object.getOwnPropertySymbols(prototype).find((symbol) => symbol.description === description);
  if (name === undefined) throw new Error(`kafkajs has no method ${description}`);
  // Its version is checked: it is the function that the source shows.
  return { name, method: (prototype as Readonly<Record<symbol, PrivateMethod<T, A>>>)[name] as PrivateMethod<T, A> };
}
