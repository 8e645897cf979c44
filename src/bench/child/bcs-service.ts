import { writeFileSync } from 'node:fs';
import { request } from 'undici';
import type { WriteEntry } from '../../bcsstorage/journal.ts';
import { startBcsStorage } from '../../bcsstorage/server.ts';
import { compareRevisions } from '../../model/revision.ts';
import { obey, optionsOf, tell } from './serve.ts';

export interface BcsServiceOptions {
  /** Of every request, while it is `slow`. */
  readonly latencyMs: number;
  /** What is counted: writes of documents of this type. */
  readonly type: string;
  /** Where `rows` is written. */
  readonly rows: string;
}

// A storage service like the old one (it takes whatever comes last), in memory, that keeps count of what it commits:
// `slow` and `quick` switch the latency, `mark` begins to count anew, `counts` says what was counted since; `rows` writes key and revision
// of every document that is stored to a file; `forget` removes the mirror's own records.

const options = optionsOf<BcsServiceOptions>();
const stored = new Map<string, string>();
const newest = new Map<string, string>();
let puts = 0;
let deletes = 0;
let stepsBack = 0;
let firstAt = 0;
let lastAt = 0;
const service = await startBcsStorage({ checksRevisions: false, onWrite: count });
obey({
  slow: () => {
    service.faults.setLatency(options.latencyMs);
    tell({ slow: true });
  },
  quick: () => {
    service.faults.setLatency(0);
    tell({ quick: true });
  },
  mark: () => {
    [puts, deletes, stepsBack, firstAt, lastAt] = [0, 0, 0, 0, 0];
    service.resetStats();
    tell({ mark: true });
  },
  counts: () => {
    const { mostConnections, mostRequests, byMethod } = service.stats();
    tell({ counts: true, puts, deletes, stepsBack, firstAt, lastAt, mostConnections, mostRequests, gets: byMethod['GET'] ?? 0 });
  },
  rows: () => {
    writeFileSync(options.rows, [...stored].map(([key, revision]) => `${key} ${revision}\n`).join(''));
    tell({ rows: stored.size });
  },
  forget: () => {
    const records = `${service.url}/bcsstorage/v1/k8s/dynamic/cluster_resources/clusters/bench/KubefoldRecord`;
    void request(records, { method: 'DELETE', reset: true })
      .then(({ body }) => body.dump())
      .then(() => tell({ forget: true }));
  },
});
tell({ url: service.url });

function count({ key, method, resourceVersion, time }: WriteEntry): void {
  const [, namespace, type, name] = key.split('/');
  if (type !== options.type) return;
  const place = `${namespace}/${name}`;
  if (firstAt === 0) firstAt = time;
  lastAt = time;
  if (method === 'DELETE') {
    deletes++;
    stored.delete(place);
    return;
  }
  puts++;
  const revision = resourceVersion ?? '';
  const before = newest.get(place);
  if (before !== undefined && compareRevisions(revision, before) < 0) stepsBack++;
  else newest.set(place, revision);
  stored.set(place, revision);
}
