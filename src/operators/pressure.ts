/** Says whether a buffer has something of a flow: of a line in which order is kept, or of a delivery that has no order to keep. */
export type Holds = (flow: object) => boolean;

const everything: Holds = () => true;

/**
 * The one valve of a running topology. A buffer that is full closes it; what can make more work (the intake of deliveries, a fan-out in the
 * middle of its iterable) asks for turns and gets them in rotation while it is open. So queues stay bounded and nobody is starved.
 *
 * A flow of which the full buffers hold nothing passes all the same: a short request does not wait until a long one has made room. That
 * adds at most one record per delivery to what is queued.
 *
 * Whatever closes the valve must drain by itself, without a turn: engines and promises do.
 */
export class Pressure {
  private readonly full: Holds[] = [];
  private readonly waiting: (() => boolean)[] = [];
  private pumping = false;

  get open(): boolean {
    return this.full.length === 0;
  }

  /** Whether a record of this flow may go on now. */
  admits(flow: object): boolean {
    return this.full.length === 0 || !this.full.some((holds) => holds(flow));
  }

  /** A buffer became full. Each call is followed by one `relieve` with the same function. */
  raise(holds: Holds = everything): void {
    this.full.push(holds);
  }

  /** A buffer that was full has room again. */
  relieve(holds: Holds = everything): void {
    this.full.splice(this.full.indexOf(holds), 1);
    this.pump();
  }

  /** Asks for turns: `step` does one piece of work and says whether it wants another turn. */
  ask(step: () => boolean): void {
    this.waiting.push(step);
    this.pump();
  }

  private pump(): void {
    if (this.pumping) return;
    this.pumping = true;
    while (this.open) {
      const step = this.waiting.shift();
      if (step === undefined) break;
      if (step()) this.waiting.push(step);
    }
    this.pumping = false;
  }
}
