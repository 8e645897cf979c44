import { fnv1a64 } from '../model/shard.ts';
import { decode, fieldOf } from './objects.ts';
import { refusal, type Refusal } from './status.ts';
import type { Filter } from './store.ts';

/** What the parameter `shardSelector` asks for. */
export interface ShardSelection {
  /** As it was sent; a list shows it as its `shardInfo`. */
  readonly text: string;
  readonly filter: Filter;
}

interface Range {
  readonly path: string;
  readonly from: bigint;
  /** Exclusive. */
  readonly to: bigint;
}

const RANGE = /^\s*shardRange\(\s*([A-Za-z.]+)\s*,\s*'([^']*)'\s*,\s*'([^']*)'\s*\)\s*$/;
const PATHS: Readonly<Record<string, string>> = { 'object.metadata.uid': 'metadata.uid', 'object.metadata.namespace': 'metadata.namespace' };
const END = '0x10000000000000000';

/** Null when nothing is asked for. Throws Refusal 500 for what a server with ShardedListAndWatch refuses (specs/apiserver-observed.md section 9). */
export function shardSelection(query: URLSearchParams): ShardSelection | null {
  const text = query.get('shardSelector') ?? '';
  if (text === '') return null;
  const ranges = text.split('||').map(rangeOf);
  const halves = new Uint32Array(2);
  const filter: Filter = (version) => {
    const tree = decode(version);
    return ranges.some(({ path, from, to }) => {
      fnv1a64(fieldOf(tree, path), halves);
      const hash = (BigInt(halves[0] ?? 0) << 32n) | BigInt(halves[1] ?? 0);
      return from <= hash && hash < to;
    });
  };
  return { text, filter };
}

function rangeOf(text: string): Range {
  const [, path = '', from = '', to = ''] = RANGE.exec(text) ?? [];
  const field = PATHS[path];
  if (path === '') throw refused('expected shardRange(path, hexStart, hexEnd)');
  if (field === undefined) throw refused(`unsupported field path ${JSON.stringify(path)}; supported: object.metadata.uid, object.metadata.namespace`);
  if (!/^0x[0-9a-f]{16}$/.test(from)) throw refused('hexStart must be a 0x-prefixed 16-digit hex value');
  if (to !== END && !/^0x[0-9a-f]{16}$/.test(to)) throw refused('hexEnd must be a 0x-prefixed 16-digit hex value');
  return { path: field, from: BigInt(from), to: BigInt(to) };
}

function refused(why: string): Refusal {
  return refusal({ code: 500, reason: 'InternalError', message: `invalid shard selector: ${why}`, details: {} });
}
