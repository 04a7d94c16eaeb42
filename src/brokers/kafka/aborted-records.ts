/** What the filter reads of a record that kafkajs decoded. Ids and offsets are decimal strings or kafkajs' `Long`, which print as such. */
export interface FetchedRecord {
  readonly offset: string;
  readonly key: Buffer | null;
  /** Of a control record only: what else it is written for. */
  readonly isControlRecord: boolean;
  readonly batchContext: { readonly producerId: unknown; readonly inTransaction: boolean };
}

/** A transaction that was aborted, and the offset of its first record. */
export interface AbortedTransaction {
  readonly producerId: unknown;
  readonly firstOffset: unknown;
}

/**
 * Drops the records of aborted transactions: `messages` are in the order of their offsets.
 *
 * kafkajs' own filter opens one transaction per record where two may begin, and takes a user's key of four zero bytes for the end of one.
 */
export function withoutAborted<M extends FetchedRecord>({
  messages,
  abortedTransactions,
}: {
  readonly messages: readonly M[];
  readonly abortedTransactions?: readonly AbortedTransaction[] | null;
}): readonly M[] {
  if (abortedTransactions === undefined || abortedTransactions === null || abortedTransactions.length === 0) {
    return messages;
  }
  const waiting = abortedTransactions
    .map(({ producerId, firstOffset }) => ({
      producerId: String(producerId),
      firstOffset: BigInt(String(firstOffset)),
    }))
    .toSorted((a, b) => Number(a.firstOffset - b.firstOffset));
  const open = new Set<string>();
  let next = 0;
  return messages.filter((message) => {
    const offset = BigInt(message.offset);
    for (let first = waiting[next]; first !== undefined && first.firstOffset <= offset; first = waiting[next]) {
      open.add(first.producerId);
      next += 1;
    }
    const producerId = String(message.batchContext.producerId);
    if (message.isControlRecord) {
      if (isAbortMarker(message)) open.delete(producerId);
      return true;
    }
    return !(message.batchContext.inTransaction && open.has(producerId));
  });
}

/** Version and type of a control record, each an int16: version 0, type 0 is an abort. */
function isAbortMarker({ key }: FetchedRecord): boolean {
  return key !== null && key.length >= 4 && key.readInt16BE(2) === 0;
}
