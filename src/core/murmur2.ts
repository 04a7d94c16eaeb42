const SEED = 0x9747b28c;
const MULTIPLIER = 0x5bd1e995;

/**
 * Hashes `bytes` to a signed 32-bit integer, as the Java client hashes keys.
 *
 * Source: `org.apache.kafka.common.utils.Utils.murmur2` of kafka-clients 4.3.1 (Austin Appleby's MurmurHash2, seed
 * `0x9747b28c`); test vectors made by it are in `test/golden/murmur2.json`.
 */
export function murmur2(bytes: Uint8Array): number {
  const length = bytes.length;
  const whole = length & ~3;
  let hash = SEED ^ length;
  // Written out: with an inner loop over the four bytes a short key takes half as long again, and this runs per record.
  for (let at = 0; at < whole; at += 4) {
    const word =
      byte(bytes, at) | (byte(bytes, at + 1) << 8) | (byte(bytes, at + 2) << 16) | (byte(bytes, at + 3) << 24);
    const mixed = Math.imul(word, MULTIPLIER);
    hash = Math.imul(hash, MULTIPLIER) ^ Math.imul(mixed ^ (mixed >>> 24), MULTIPLIER);
  }
  const rest = length - whole;
  if (rest > 2) hash ^= byte(bytes, whole + 2) << 16;
  if (rest > 1) hash ^= byte(bytes, whole + 1) << 8;
  if (rest > 0) hash = Math.imul(hash ^ byte(bytes, whole), MULTIPLIER);
  hash = Math.imul(hash ^ (hash >>> 13), MULTIPLIER);
  return hash ^ (hash >>> 15);
}

/**
 * The partition, 0 to `partitions` - 1, that Kafka's default partitioner gives to a record with this key.
 *
 * `partitions` is an integer, at least 1. A record without a key has no such partition; an empty key has one.
 *
 * Source: `BuiltInPartitioner.partitionForKey` of kafka-clients 4.3.1: `toPositive(murmur2(key)) % partitions`, where
 * `toPositive` clears the sign bit (it isn't the absolute value).
 */
export function partitionFor(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}

function byte(bytes: Uint8Array, at: number): number {
  // The callers stay within the length, which the type of an indexed access can't tell.
  return bytes[at] as number;
}
