/**
 * The one valve of a running topology. A buffer that is full closes it; what can make more work (the intake of deliveries, a fan-out in the
 * middle of its iterable) asks for turns and gets them in rotation while it is open. So queues stay bounded and nobody is starved.
 *
 * Whatever closes the valve must drain by itself, without a turn: engines and promises do.
 */
export class Pressure {
  private full = 0;
  private readonly waiting: (() => boolean)[] = [];
  private pumping = false;

  get open(): boolean {
    return this.full === 0;
  }

  /** A buffer became full. Each call is followed by one `relieve`. */
  raise(): void {
    this.full += 1;
  }

  /** A buffer that was full has room again. */
  relieve(): void {
    this.full -= 1;
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
    while (this.full === 0) {
      const step = this.waiting.shift();
      if (step === undefined) break;
      if (step()) this.waiting.push(step);
    }
    this.pumping = false;
  }
}
