/**
 * One of `count` parts of a cluster's objects: those whose uid hashes into range `index` of `count` equal contiguous ranges of 64 bits. An object never
 * changes its shard; one that is deleted and made again under its name has another uid, and may be in another.
 */
export interface Shard {
  /** 0 to `count - 1`. */
  readonly index: number;
  /** 1 or more, at most 1024. */
  readonly count: number;
}

/** The 64-bit FNV-1a offset basis and prime (2^40 + 0x1b3), as halves of 32 bits. */
const BASIS_HIGH = 0xcbf29ce4;
const BASIS_LOW = 0x84222325;
const PRIME_LOW = 0x1b3;
const TWO_TO_32 = 0x1_0000_0000;
const END = 1n << 64n;

/** Where shardOf() hashes into. It runs for every event, and makes nothing. */
const SCRATCH = new Uint32Array(2);

/**
 * The 64-bit FNV-1a hash of the UTF-8 bytes of `text`, as [high, low] halves into `into`: what an API server with ShardedListAndWatch computes of a uid
 * (pinned by test/mirror/shards.cluster.test.ts).
 */
export function fnv1a64(text: string, into: Uint32Array): void {
  let high = BASIS_HIGH;
  let low = BASIS_LOW;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return hashBytes(Buffer.from(text, 'utf8'), into);
    low ^= code;
    // The product of a half and the small part of the prime has up to 41 bits: it is made of halves of 16.
    const first = (low & 0xffff) * PRIME_LOW;
    const second = (low >>> 16) * PRIME_LOW + (first >>> 16);
    high = (Math.imul(high, PRIME_LOW) + (second >>> 16) + (low << 8)) | 0;
    low = (second << 16) | (first & 0xffff);
  }
  into[0] = high;
  into[1] = low;
}

/** Uids are ASCII as far as anybody has seen; what is not is hashed by its bytes, too. */
function hashBytes(bytes: Uint8Array, into: Uint32Array): void {
  let hash = (BigInt(BASIS_HIGH) << 32n) | BigInt(BASIS_LOW);
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  into[0] = Number(hash >> 32n);
  into[1] = Number(hash & 0xffffffffn);
}

/** The index of the shard of an object: floor(hash * count / 2^64). */
export function shardOf(uid: string, count: number): number {
  fnv1a64(uid, SCRATCH);
  const [high = 0, low = 0] = SCRATCH;
  // Exact: `count` has few bits, so every product is below 2^53, and a division by 2^32 loses none.
  return Math.floor((high * count + Math.floor((low * count) / TWO_TO_32)) / TWO_TO_32);
}

/** Whether the object with this uid is in the shard. */
export function isInShard(uid: string, shard: Shard): boolean {
  return shard.count === 1 || shardOf(uid, shard.count) === shard.index;
}

/** What the API server is to be asked for, when it splits: the text of the parameter `shardSelector`. The upper bound is exclusive. */
export function shardSelectorOf({ index, count }: Shard): string {
  return `shardRange(object.metadata.uid, '${bound(index, count)}', '${bound(index + 1, count)}')`;
}

/** The lowest hash of shard `index`: ceil(index * 2^64 / count). 16 digits, as the server wants it, but for the end of the whole range. */
function bound(index: number, count: number): string {
  const lowest = (BigInt(index) * END + BigInt(count) - 1n) / BigInt(count);
  return `0x${lowest.toString(16).padStart(16, '0')}`;
}
