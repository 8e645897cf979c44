const BASE = 131;
const LOW_31_BITS = 0x7fffffff;

/**
 * The partition of a key, as bcs-k8s-watch computes it (specs/bcs-k8s-watch.md section 2.3): `h = h * 131 + byte` over the UTF-8 bytes of
 * `namespace/name`, the low 31 bits modulo the number of partitions. It wraps at 64 bits there; only 31 count, so 32 are enough here.
 */
export function partitionOf(key: string, partitions: number): number {
  let h = 0;
  let isAscii = true;
  for (let index = 0; index < key.length; index++) {
    const code = key.charCodeAt(index);
    if (code > 127) {
      isAscii = false;
      break;
    }
    h = (Math.imul(h, BASE) + code) | 0;
  }
  if (!isAscii) {
    h = 0;
    for (const byte of Buffer.from(key)) h = (Math.imul(h, BASE) + byte) | 0;
  }
  return (h & LOW_31_BITS) % partitions;
}
