import { subscribe } from 'node:diagnostics_channel';
import type { IncomingMessage } from 'node:http';
import { writeFileSync } from 'node:fs';
import { seedCluster, startChurn, type Churn } from '../../hollow/load.ts';
import { makePod, podPlace, podStatus } from '../../hollow/load-pods.ts';
import { parsePath } from '../../hollow/path.ts';
import { isWatch } from '../../hollow/query.ts';
import { startHollow } from '../../hollow/server.ts';
import { systemClock } from '../../kit/clock.ts';
import { obey, optionsOf, tell } from './serve.ts';

export interface ClusterChildOptions {
  readonly pods: number;
  /** Changes kept; more than the benchmark makes, unless it wants a 410. */
  readonly history: number;
  /** How many pods one `change` changes. */
  readonly changes: number;
  /** Pods changed a second by `churn` and by `sweep`. */
  readonly perSecond: number;
  /** Between bookmarks; the server's default when absent. A mirror whose clock is hurried needs them sooner. */
  readonly bookmarkSeconds?: number;
  /** Where `truth` is written. */
  readonly truth: string;
}

/** Requests of one kind since they were asked for the last time, as the HTTP server saw them. */
export interface RequestCounts {
  /** Lists begun. */
  lists: number;
  /** Pages of a list after its first. */
  pages: number;
  watches: number;
  gets: number;
}

// A hollow cluster that is changed by word, and counts what it is asked:
// `change` changes some pods at once, `sweep` every pod once at a pace, `churn` any of them until `calm`; `compact` forgets the history;
// `requests` says what was asked since the last time; `truth` writes the revision of every pod to a file.

const options = optionsOf<ClusterChildOptions>();
const clock = systemClock;
const SHAPE = { bytes: 4096, namespaces: 50, nodes: 50 };
const SWEEP_TICK_MS = 10;
/** Of the pods that `change` changes, one in so many is deleted, and another replaced by a new one. */
const ONE_IN = 20;

const requests = new Map<string, RequestCounts>();
subscribe('http.server.request.start', (message) => count((message as { readonly request: IncomingMessage }).request));
const hollow = await startHollow({ history: options.history, historyBytes: 2 ** 31, bookmarkSeconds: options.bookmarkSeconds });
seedCluster(hollow, { ...SHAPE, pods: options.pods, apps: false });
let rounds = 0;
let nextPod = options.pods;
let churn: Churn | null = null;
obey({
  change: () => tell({ change: true, ...change() }),
  sweep: () => void sweep().then(() => tell({ sweep: true })),
  churn: () => {
    churn = startChurn(hollow, { ...SHAPE, pods: options.pods, changesPerSecond: options.perSecond, clock, mix: { status: 1 } });
    tell({ churn: true });
  },
  calm: () => {
    churn?.stop();
    tell({ calm: true, changes: churn?.changes ?? 0 });
  },
  compact: () => {
    hollow.compact();
    tell({ compact: true });
  },
  requests: () => {
    tell({ requests: Object.fromEntries(requests) });
    requests.clear();
  },
  truth: () => {
    const store = hollow.world.kind('pods')?.store;
    const lines = hollow.keys('pods').map((key) => `${key} ${store?.get(key)?.revision}\n`);
    writeFileSync(options.truth, lines.join(''));
    tell({ truth: true });
  },
});
tell({ url: hollow.url });

function count({ url = '/', method }: IncomingMessage): void {
  const { pathname, searchParams } = new URL(url, 'http://hollow');
  const path = parsePath(pathname);
  if (path.type !== 'object' || method !== 'GET') return;
  const kind = path.group === '' ? path.resource : `${path.resource}.${path.group}`;
  const isLook = kind === 'namespaces' && (searchParams.get('limit') === '1' || path.name === 'kube-system');
  const name = isLook ? 'the look at the history' : kind;
  const counts = requests.get(name) ?? { lists: 0, pages: 0, watches: 0, gets: 0 };
  requests.set(name, counts);
  if (path.name !== null) counts.gets++;
  else if (isWatch(searchParams)) counts.watches++;
  else if (searchParams.has('continue')) counts.pages++;
  else counts.lists++;
}

/** Other pods at every call, spread over all. Says the revision of each that is there, and the keys of those that went. */
function change(): { readonly put: Readonly<Record<string, string>>; readonly deleted: readonly string[] } {
  const step = Math.max(1, Math.floor(options.pods / options.changes));
  const put: string[] = [];
  const deleted: string[] = [];
  for (let i = 0; i < options.changes; i++) {
    const number = i * step + (rounds % step);
    const { namespace, name } = podPlace(number, SHAPE);
    const key = `${namespace}/${name}`;
    if (i % ONE_IN === 0) {
      hollow.delete('pods', key);
      deleted.push(key);
    } else if (i % ONE_IN === 1) {
      const place = podPlace(nextPod, SHAPE);
      hollow.create('pods', makePod(nextPod++, SHAPE));
      put.push(`${place.namespace}/${place.name}`);
    } else {
      setStatus(number);
      put.push(key);
    }
  }
  rounds++;
  return { put: Object.fromEntries(put.map((key) => [key, String(hollow.world.kind('pods')?.store.get(key)?.revision)])), deleted };
}

async function sweep(): Promise<void> {
  const startedAt = clock.now();
  for (let done = 0; done < options.pods; ) {
    const due = Math.min(options.pods, ((clock.now() - startedAt) * options.perSecond) / 1000);
    for (; done < due; done++) setStatus(done);
    await clock.sleep(SWEEP_TICK_MS);
  }
}

function setStatus(number: number): void {
  const { namespace, name } = podPlace(number, SHAPE);
  const status = podStatus(number, { phase: 'Running', ready: false, restarts: rounds + 1, wallMs: clock.wall() }, SHAPE);
  hollow.setStatus('pods', `${namespace}/${name}`, status);
}
