import type { Origin, Position } from "./record.ts";

/** Where a record stands in a broker whose topics are partitioned logs, without the record: `kafka:INFERENCE/0@42`. */
export class LogPosition implements Origin {
  readonly topic: string;
  private readonly broker: string;
  private readonly partition: number;
  private readonly offset: number;

  constructor(broker: string, topic: string, partition: number, offset: number) {
    this.broker = broker;
    this.topic = topic;
    this.partition = partition;
    this.offset = offset;
  }

  get position(): Position {
    return `${this.broker}:${this.topic}/${this.partition}@${this.offset}`;
  }
}
