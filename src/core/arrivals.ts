/** Deliveries that came in one turn of the event loop. */
export interface Arrival {
  /** When, milliseconds since the epoch. */
  readonly at: number;
  /** Those of them that are in flight. */
  inFlight: number;
}

/** When the deliveries came that are in flight. The clock is read once per turn, not once per delivery. */
export class Arrivals {
  private readonly now: () => number;
  /** Oldest first. Of those, only the present turn's may have none in flight. */
  private readonly known = new Set<Arrival>();
  private present: Arrival | undefined = undefined;

  constructor(now: () => number) {
    this.now = now;
  }

  /** A delivery has come. */
  arrive(): Arrival {
    const arrival = this.present ?? this.begin();
    arrival.inFlight += 1;
    return arrival;
  }

  /** A delivery has been settled, given back or lost. */
  leave(arrival: Arrival): void {
    arrival.inFlight -= 1;
    if (arrival.inFlight === 0 && arrival !== this.present) this.known.delete(arrival);
  }

  /** Arrival of the oldest delivery in flight, milliseconds since the epoch; undefined without one. */
  get oldest(): number | undefined {
    for (const { at, inFlight } of this.known) if (inFlight > 0) return at;
    return undefined;
  }

  private begin(): Arrival {
    const arrival = { at: this.now(), inFlight: 0 };
    this.present = arrival;
    this.known.add(arrival);
    queueMicrotask(() => {
      this.present = undefined;
      if (arrival.inFlight === 0) this.known.delete(arrival);
    });
    return arrival;
  }
}
