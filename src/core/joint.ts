import { DeliveryLineage, type Lineage } from "./lineage.ts";

/**
 * One lineage for a record that was made from several: when it settles, all of them end; when it is given back, so are all of them; when it
 * fails, each of their deliveries gets a dead letter.
 *
 * It publishes through the delivery of the last share, as one more record of that. `shares` has at least one element, none of which stands in a line.
 */
export class JointLineage extends DeliveryLineage {
  private readonly shares: readonly Lineage[];
  private readonly place: Lineage;

  constructor(shares: readonly [Lineage, ...Lineage[]]) {
    const last = shares.at(-1) ?? shares[0];
    super(last.root.delivery, last.root.owner, last.root.end);
    this.place = last.fork();
    this.shares = [...shares, this.place];
  }

  override get path(): string {
    return this.place.path;
  }

  override addFailure(node: string, error: unknown): void {
    for (const share of this.shares) if (share !== this.place) share.root.addFailure(node, error, share.path);
  }

  protected override finish(): void {
    for (const share of this.shares) {
      if (this.returned) share.release(this.cause);
      else share.done();
    }
  }
}
