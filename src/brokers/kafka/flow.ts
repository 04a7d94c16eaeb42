import type { Consumer } from "kafkajs";

/** One partition of a topic. */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/**
 * Pauses and resumes what a consumer fetches.
 *
 * Topic-wide (all or nothing, which covers partitions that are newly assigned) or by partition, never both on one consumer: pausing a partition of
 * a topic that is paused as a whole resumes its other partitions in kafkajs.
 */
export class Flow {
  private readonly byPartition: boolean;
  private paused = new Set<string>();
  /** After a rejoin nothing is known of what kafkajs has paused. */
  private known = false;

  constructor(byPartition: boolean) {
    this.byPartition = byPartition;
  }

  /** A new assignment: pause flags of the last one may have survived, or not. */
  reset(): void {
    this.known = false;
  }

  /** Fetches the partitions that are not closed. Topic-wide: none when one is closed. */
  apply(consumer: Consumer, assigned: readonly TopicPartition[], isClosed: (one: TopicPartition) => boolean): void {
    const targets = this.byPartition
      ? assigned.map((one) => ({ name: `${one.topic}/${one.partition}`, closed: isClosed(one), ...one }))
      : wholeTopics(assigned, isClosed);
    const change = targets.filter(({ name, closed }) => !this.known || this.paused.has(name) !== closed);
    this.known = true;
    this.paused = new Set(targets.flatMap(({ name, closed }) => (closed ? [name] : [])));
    const [pause, resume] = [change.filter(({ closed }) => closed), change.filter(({ closed }) => !closed)];
    try {
      if (pause.length > 0) consumer.pause(pause.map(selector));
      if (resume.length > 0) consumer.resume(resume.map(selector));
    } catch {
      this.known = false; // the consumer has crashed: the next assignment applies it again
    }
  }
}

interface Target {
  readonly name: string;
  readonly topic: string;
  readonly partition?: number;
  readonly closed: boolean;
}

function wholeTopics(assigned: readonly TopicPartition[], isClosed: (one: TopicPartition) => boolean): Target[] {
  const closed = assigned.some(isClosed);
  return [...new Set(assigned.map(({ topic }) => topic))].map((topic) => ({ name: topic, topic, closed }));
}

function selector({ topic, partition }: Target): { topic: string; partitions?: number[] } {
  return partition === undefined ? { topic } : { topic, partitions: [partition] };
}
