import type { Origin, Position } from "./record.ts";

/** Where a record stands in a broker whose topics are partitioned logs, without the record: `kafka:INFERENCE/0@42`. */
export class LogPosition implements Origin {
  readonly topic: string;
  private readonly place: string;
  private readonly offset: number;

  /** @param place of the partition: `kafka:INFERENCE/0` */
  constructor(topic: string, place: string, offset: number) {
    this.topic = topic;
    this.place = place;
    this.offset = offset;
  }

  get position(): Position {
    return `${this.place}@${this.offset}`;
  }
}
