import type { KafkaMessage } from "kafkajs";
import type { Partition, Slot } from "./partition.ts";

/** A record that was read and not handed out. */
export interface Unread {
  readonly partition: Partition;
  readonly slot: Slot;
  readonly message: KafkaMessage;
}

/** Records that were fetched and wait for credit; partitions take turns. Bounded by what the fetches under way may bring. */
export class ReadAhead {
  size = 0;
  private readonly queues = new Map<Partition, { items: Unread[]; next: number }>();
  private order: Partition[] = [];
  private turn = 0;

  push(unread: Unread): void {
    const queue = this.queues.get(unread.partition);
    if (queue === undefined) {
      this.queues.set(unread.partition, { items: [unread], next: 0 });
      this.order.push(unread.partition);
    } else queue.items.push(unread);
    this.size += 1;
  }

  shift(): Unread | undefined {
    if (this.turn >= this.order.length) this.turn = 0;
    const partition = this.order[this.turn];
    const queue = partition === undefined ? undefined : this.queues.get(partition);
    const first = queue?.items[queue.next];
    if (partition === undefined || queue === undefined || first === undefined) return undefined;
    queue.next += 1;
    this.size -= 1;
    this.turn += 1;
    if (queue.next === queue.items.length) this.drop(partition);
    return first;
  }

  /** Forgets what was read of a partition. */
  drop(partition: Partition): void {
    const queue = this.queues.get(partition);
    if (queue === undefined) return;
    this.size -= queue.items.length - queue.next;
    this.queues.delete(partition);
    const place = this.order.indexOf(partition);
    this.order.splice(place, 1);
    if (place < this.turn) this.turn -= 1;
  }

  clear(): void {
    this.queues.clear();
    this.order = [];
    this.turn = 0;
    this.size = 0;
  }
}
