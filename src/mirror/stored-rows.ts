import type { ObjectCache } from '../cache/object-cache.ts';
import type { Logger } from '../kit/log.ts';
import type { KindId, Scope } from '../model/kind.ts';
import type { ParkedRow, ScopeRecord, Storage } from '../storage/storage.ts';
import type { Parked } from '../worker/parked.ts';
import { readForms } from './forms.ts';

/** Loads what storage holds of one kind into its cache, which is empty. Returns the records of its scopes, and what is on record as refused. */
export async function loadRows(parts: {
  readonly storage: Storage;
  readonly kind: KindId;
  readonly scopes: readonly Scope[];
  readonly form: string;
  readonly cache: ObjectCache;
  readonly parked: Parked;
  readonly log: Logger;
}): Promise<{ readonly records: ReadonlyMap<Scope, ScopeRecord>; readonly refused: readonly ParkedRow[] }> {
  const { storage, kind, cache, parked } = parts;
  const rewriteOf = await readForms(parts);
  const records = new Map((await storage.scopes()).filter((record) => record.kind === kind).map((record) => [record.scope, record]));
  for await (const rows of storage.index(kind, '')) {
    for (const row of rows) cache.load(row, rewriteOf(row.key));
  }
  const refused = (await storage.parked()).filter((row) => row.kind === kind);
  for (const row of refused) {
    cache.loadParked(row);
    parked.load(row);
  }
  return { records, refused };
}

/** A record that is left behind would promise that rows are complete which nobody keeps so. */
export async function retireRecords(storage: Storage, kind: KindId, isOver: (scope: Scope) => boolean): Promise<void> {
  const records = (await storage.scopes()).filter((record) => record.kind === kind && isOver(record.scope));
  if (records.length > 0)
    await storage.write(
      [],
      records.map((record) => ({ ...record, retired: true })),
    );
}

/**
 * Before rows go that nobody asks for: until all of them have, the records say that a start with other rules must list. Without it one that wants the kind
 * again would go on from the watermark, and miss what is gone. Throws when that could not be recorded.
 */
export async function distrustRecords(storage: Storage, kind: KindId): Promise<void> {
  const trusted = async (): Promise<readonly ScopeRecord[]> => (await storage.scopes()).filter((record) => record.kind === kind && record.watermark !== null);
  const records = await trusted();
  if (records.length === 0) return;
  await storage.write(
    [],
    records.map((record) => ({ ...record, watermark: null })),
  );
  // Records have no outcome that would tell whether they were taken.
  if ((await trusted()).length > 0)
    throw new Error(`Cannot begin to remove the rows of ${kind}: storage did not take the record that they are no longer complete, and will be asked again`);
}
