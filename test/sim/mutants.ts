/** One guard, deliberately broken: `find` stands exactly once in `file` (below src/) and becomes `replace` while the module is loaded. */
export interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** It must be caught within so many seeds, from 1 on. */
  readonly seeds: number;
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'an older revision is written over a newer one',
    file: 'storage/memory/memory-storage.ts',
    find: 'if (order < 0) return STALE;',
    replace: '',
    seeds: 60,
  },
  {
    name: 'a tombstone is forgotten',
    file: 'storage/memory/tombstones.ts',
    find: 'return tombstone !== undefined && compareRevisions(revision, tombstone.revision) < 0;',
    replace: 'return false;',
    seeds: 150,
  },
  {
    name: 'a delete does not look at the uid',
    file: 'storage/memory/memory-storage.ts',
    find: 'if (stored.uid !== uid || (revision',
    replace: 'if ((revision',
    seeds: 40,
  },
  {
    name: 'a key that is added while it is held is not processed again',
    file: 'queue/dedup.ts',
    find: 'return ticket.dirty;',
    replace: 'return (ticket.dirty = false);',
    seeds: 10,
  },
  {
    name: 'two holders get the same key',
    file: 'queue/dedup.ts',
    find: 'return !ticket.busy;',
    replace: 'return true;',
    seeds: 10,
  },
  {
    name: 'the watermark is what was heard, not what is durable',
    file: 'cache/scope.ts',
    find: 'oldest === null ? this.progress : oldest.before',
    replace: 'this.progress',
    seeds: 10,
  },
  {
    name: 'a position is closed by its first key',
    file: 'cache/positions.ts',
    find: 'open.keys--;',
    replace: 'open.keys = 0;',
    seeds: 10,
  },
  {
    name: 'a list deletes before it is complete',
    file: 'reflector/listing.ts',
    find: 'if (input.continue === null) {',
    replace: 'if (true) {',
    seeds: 20,
  },
  {
    name: 'what a list did not contain is not swept',
    file: 'cache/object-cache.ts',
    find: 'absent.push(key);\n    }\n    // Before',
    replace: '}\n    // Before',
    seeds: 40,
  },
  {
    name: 'a write of unknown outcome is taken for one that did not happen',
    file: 'worker/pool.ts',
    find: "case 'retry':\n        cache.giveBack(taken, state, true);",
    replace: "case 'retry':\n        cache.giveBack(taken, state, false);",
    seeds: 100,
  },
  {
    name: 'a write that is to be tried again counts as done',
    file: 'worker/pool.ts',
    find: "case 'retry':\n        cache.giveBack(taken, state, true);",
    replace: "case 'retry':\n        cache.settle(taken, now, state);",
    seeds: 10,
  },
  {
    name: 'after a 410 the watch goes on from the old revision',
    file: 'reflector/watching.ts',
    find: 'if (isThrottled(failure)) return watchAfter(state, failure, context, close);',
    replace: 'return watchAfter(state, failure, context, close);',
    seeds: 40,
  },
  {
    name: 'a history that went back is taken for the same one',
    file: 'mirror/history-guard.ts',
    find: 'const why = brokenHistory(before, now);',
    replace: 'const why = null as string | null;',
    seeds: 40,
  },
  {
    name: 'a list of a history that went back is taken for a later one',
    file: 'mirror/delivery.ts',
    find: "reason === 'regressed' ? 'regressed' : 'continued'",
    replace: "'continued'",
    seeds: 40,
  },
  {
    name: 'what was read again may be older than what is awaited',
    file: 'cache/object-cache.ts',
    find: 'needsBody(entry) && entry.uid === uid && entry.revision === revision;',
    replace: 'needsBody(entry);',
    seeds: 600,
  },
  {
    name: 'a warm restart ignores that it is another cluster',
    file: 'mirror/resume.ts',
    find: 'record.identity !== null && origin.identity !== null && record.identity !== origin.identity',
    replace: 'false',
    seeds: 300,
  },
  {
    name: 'a warm restart ignores that the cluster is behind the copy',
    file: 'mirror/resume.ts',
    find: 'compareRevisions(copied, newest) > 0',
    replace: 'false',
    seeds: 300,
  },
  {
    name: 'a warm restart ignores that the rules have changed',
    file: 'mirror/resume.ts',
    find: 'record.rules !== origin.rules',
    replace: 'false',
    seeds: 300,
  },
  {
    name: 'a parked key is forgotten by a restart',
    file: 'mirror/stored-rows.ts',
    find: 'cache.loadParked(row);',
    replace: '',
    seeds: 100,
  },
  {
    name: 'the fence is forgotten',
    file: 'mirror/fence.ts',
    find: "return known >= minObjects && absent / known > maxDeleteShare ? 'hold' : 'delete';",
    replace: "return 'delete';",
    seeds: 20,
  },
  {
    name: 'the first empty list is believed',
    file: 'mirror/delivery.ts',
    find: 'isDoubted = listed === 0 && state.objects > 0 && !isDoubtful && !isDoubted;',
    replace: 'isDoubted = false;',
    seeds: 100,
  },
  {
    name: 'a row that is behind what a standby knows counts as the same',
    file: 'cache/takeover.ts',
    find: "if (order < 0) return 'behind';",
    replace: "if (order < 0) return 'same';",
    seeds: 20,
  },
  {
    name: 'a row without an object is forgotten at a takeover',
    file: 'cache/standby-cache.ts',
    find: "this.#table.load(row, 'keep').mark = STRANGER;",
    replace: "this.#table.load(row, 'keep');",
    seeds: 20,
  },
  {
    name: 'a takeover does not know which uid the row holds',
    file: 'cache/standby-cache.ts',
    find: 'known.storedUid = row.uid;\n    switch',
    replace: 'switch',
    seeds: 40,
  },
];
