import type { WriteEntry } from '../../../src/bcsstorage/journal.ts';
import { compareRevisions } from '../../../src/model/revision.ts';

/** What becomes of each key in a service where last writer wins: every older revision that its journal has after a newer one of the same key. */
export function stepsBack(journal: readonly WriteEntry[]): string[] {
  const newest = new Map<string, { readonly revision: string; readonly time: number }>();
  const wrong: string[] = [];
  for (const { key: at, resourceVersion, method, time } of journal) {
    if (method !== 'PUT' || resourceVersion === null) continue;
    const before = newest.get(at);
    const isOlder = before !== undefined && compareRevisions(resourceVersion, before.revision) < 0;
    if (isOlder)
      wrong.push(
        `${at}: ${resourceVersion} came ${time - before.time} ms after ${before.revision}, ${time - (journal[0]?.time ?? 0)} ms after the first of all`,
      );
    else newest.set(at, { revision: resourceVersion, time });
  }
  return wrong;
}

/** Every document that came back after it was deleted, by its uid: where no object leaves a selection and returns, none ever may. */
export function comebacks(journal: readonly WriteEntry[]): string[] {
  const deleted = new Map<string, number>();
  const wrong: string[] = [];
  for (const { key: at, uid, resourceVersion, method, outcome, time } of journal) {
    if (uid === null) continue;
    if (method === 'DELETE' && outcome === 'deleted') deleted.set(uid, time);
    const since = deleted.get(uid);
    if (method === 'PUT' && since !== undefined) wrong.push(`${at}: ${uid}@${resourceVersion} came back ${time - since} ms after it was deleted`);
  }
  return wrong;
}
