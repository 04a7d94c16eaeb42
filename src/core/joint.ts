import type { Delivery } from "./broker.ts";
import { DeliveryLineage, type Lineage } from "./lineage.ts";

/**
 * One lineage for a record that was made from several: when it settles, all of them end; when it is given back, so are all of them.
 *
 * It publishes through the delivery of the last share. `shares` has at least one element, none of which stands in a line.
 */
export function joinLineages(shares: readonly [Lineage, ...Lineage[]]): DeliveryLineage {
  const last = shares.at(-1) ?? shares[0];
  const { delivery, owner, end } = last.root;
  const joint: Delivery = {
    record: delivery.record,
    position: delivery.position,
    origin: delivery.origin,
    attempt: delivery.attempt,
    ...(delivery.lane && { lane: delivery.lane }),
    publish: (outs) => delivery.publish(outs),
    ack: () => {
      for (const share of shares) share.done();
    },
    nack: (cause) => {
      for (const share of shares) share.release(cause);
    },
  };
  return new DeliveryLineage(joint, owner, end, true);
}
