import { compareRevisions, type Revision } from '../model/revision.ts';
import { readRecordedScope } from './sharded.ts';
import type { ScopeRecord, StorageReader } from './storage.ts';

/** The same copy, whose scopes have one record each, however many shards write it. */
export function withMergedRecords(reader: StorageReader): StorageReader {
  return {
    reencodes: reader.reencodes,
    retention: (kind) => reader.retention?.(kind) ?? null,
    clusters: () => reader.clusters(),
    kinds: (cluster) => reader.kinds(cluster),
    scopes: async (cluster) => mergedRecords(await reader.scopes(cluster)),
    parked: (cluster) => reader.parked(cluster),
    get: (cluster, kind, key) => reader.get(cluster, kind, key),
    list: (query) => reader.list(query),
    close: () => reader.close(),
  };
}

/**
 * One record for each kind and scope: as old as that of its oldest shard, and only complete when those of all shards are. Where records of several numbers of
 * shards meet, because the number is being changed, those count that were heard last.
 */
export function mergedRecords(records: readonly ScopeRecord[]): readonly ScopeRecord[] {
  const places = Map.groupBy(records, ({ kind, scope }) => `${kind} ${readRecordedScope(scope).scope}`);
  return [...places.values()].map((of) => {
    const counts = [...Map.groupBy(of, ({ scope }) => readRecordedScope(scope).shard.count)];
    const [[count, shards] = [1, of]] = counts.sort(([, a], [, b]) => lastHeard(b) - lastHeard(a));
    return merged(shards, count);
  });
}

function lastHeard(records: readonly ScopeRecord[]): number {
  return Math.max(...records.map(({ heardAt }) => heardAt ?? 0));
}

function merged(shards: readonly ScopeRecord[], count: number): ScopeRecord {
  const [first] = shards;
  if (first === undefined) throw new Error('Cannot merge the records of a scope: there are none');
  if (count === 1) return first;
  const isWhole = shards.length === count;
  const oldest = (field: 'listedAt' | 'heardAt'): number | null => {
    const times = shards.map((record) => record[field]).filter((at) => at !== null);
    return times.length < count ? null : Math.min(...times);
  };
  const common = (field: 'stored' | 'rules' | 'identity'): string | null => (shards.every((record) => record[field] === first[field]) ? first[field] : null);
  const watermarks = shards.map(({ watermark }) => watermark).filter((watermark): watermark is Revision => watermark !== null);
  return {
    kind: first.kind,
    scope: readRecordedScope(first.scope).scope,
    watermark: watermarks.length < count ? null : (watermarks.sort(compareRevisions)[0] ?? null),
    listedAt: oldest('listedAt'),
    heardAt: oldest('heardAt'),
    objects: shards.reduce((sum, { objects }) => sum + objects, 0),
    complete: isWhole && shards.every(({ complete }) => complete),
    stored: common('stored'),
    rules: common('rules'),
    identity: common('identity'),
  };
}
