import { homedir } from 'node:os';
import { request } from 'undici';
import { createApp } from '../../app.ts';
import { loadCredentials } from '../../cluster/credentials.ts';
import { loadConfig } from '../../config/load.ts';
import { systemClock } from '../../kit/clock.ts';
import { createLogger } from '../../kit/log.ts';
import { systemRandom } from '../../kit/random.ts';
import type { Storage } from '../../storage/storage.ts';
import { quantile } from '../report.ts';
import { ownUsage } from '../usage.ts';
import { Outage, type OutageKind, stampedStorage, throttledStorage } from './around-storage.ts';
import { hurriedClock } from './hurried-clock.ts';
import { LoopWatch } from './loop-watch.ts';
import { obey, optionsOf, tell } from './serve.ts';

export interface MirrorChildOptions {
  readonly kubeconfig: string;
  readonly storage: string;
  readonly kinds: readonly string[];
  /** Storage is held back to this; absent: as it is. */
  readonly rowsPerSecond?: number;
  /** The rate budget around storage; absent: none. */
  readonly perSecond?: number;
  /** How storage goes away at the word `break`; it comes back at `mend`. */
  readonly outage?: OutageKind;
  /** Measures the age of stamped changes when they are durable. */
  readonly stamped?: boolean;
  /** Seconds for one round of the audit. Absent: none runs, for nobody could tell what it uses from what else is used. */
  readonly auditSeconds?: number;
  /** The clock goes so many times as fast. */
  readonly hurry?: number;
}

// The real wiring (createApp), with a few questions that the benchmark may ask:
// `ready` is said by itself; `use` what was used so far; `gc` the same after a collection; `ages` of stamped changes;
// `audit` what its last round found; `break` and `mend` storage, `state` what waits and what was asked of storage; `stop` ends it in order.

const options = optionsOf<MirrorChildOptions>();
const clock = options.hurry === undefined ? systemClock : hurriedClock(options.hurry);
const config = loadConfig({
  text: JSON.stringify({ audit: { everySeconds: options.auditSeconds ?? null }, limits: { storage: { perSecond: options.perSecond ?? null } } }),
  file: 'the benchmark',
  flags: {
    storage: options.storage,
    kinds: options.kinds,
    listen: options.stamped === true ? '127.0.0.1:0' : 'off',
    clusterName: 'bench',
    logLevel: 'warn',
    logFormat: 'json',
  },
});
const credentials = await loadCredentials({ kubeconfig: options.kubeconfig, context: undefined, env: process.env, home: homedir(), clock });
const agesMs: number[] = [];
const outage = new Outage(options.outage ?? 'refuse');
const wrapStorage = (engine: Storage): Storage => {
  const timed = options.stamped === true ? stampedStorage(engine, clock, agesMs) : engine;
  const paced = options.rowsPerSecond === undefined ? timed : throttledStorage(timed, options.rowsPerSecond, clock);
  return options.outage === undefined ? paced : outage.around(paced);
};
const app = await createApp({
  config,
  file: null,
  credentials,
  clock,
  random: systemRandom,
  log: await createLogger({ level: 'warn', format: 'json' }),
  wrapStorage,
});
const ending = new AbortController();
const loop = new LoopWatch(clock);
const used = (): Record<string, number> => ({
  ...ownUsage(),
  seconds: process.uptime(),
  longestBlockMs: loop.longestMs,
  longestOwnMs: loop.longestOwnMs,
  longBlocks: loop.long,
});
let atReady = { within: 0, all: 0 };
obey({
  use: () => tell({ use: true, ...used() }),
  gc: () => {
    globalThis.gc?.();
    tell({ gc: true, ...used() });
  },
  ages: () => {
    void storedWithin40Ms().then((now) => {
      const share = (now.within - atReady.within) / (now.all - atReady.all);
      tell({ ages: agesMs.length, p50Ms: quantile(agesMs, 0.5), p99Ms: quantile(agesMs, 0.99), maxMs: quantile(agesMs, 1), withinShare: share });
    });
  },
  audit: () => {
    const { last } = app.status().audit;
    const { objects = 0, drift = 0, untold = 0, finishedAt = 0, skipped = [] } = last ?? {};
    tell({ audit: true, finishedAt, compared: objects, drift, untold, skipped: skipped.map(({ id, why }) => `${id}: ${why}`).join('; '), ...used() });
  },
  break: () => {
    outage.begin();
    tell({ break: true });
  },
  mend: () => {
    outage.end();
    tell({ mend: true });
  },
  state: () => {
    const { kinds, pendingBytes } = app.status();
    const unsettled = kinds.reduce((sum, kind) => sum + kind.unsettled, 0);
    const oldestPendingMs = Math.max(0, ...kinds.map((kind) => kind.oldestPendingMs));
    const { heapTotal, arrayBuffers } = process.memoryUsage();
    const memory = { pendingMiB: pendingBytes / 2 ** 20, heapMiB: heapTotal / 2 ** 20, buffersMiB: arrayBuffers / 2 ** 20 };
    tell({ state: true, ...memory, unsettled, oldestPendingMs, calls: outage.calls, rows: outage.rows, settled: outage.settled });
  },
  stop: () => ending.abort(),
});
loop.begin();
const startedAt = clock.now();
const running = app.run(ending.signal);
while (!app.isReady() && !ending.signal.aborted) await clock.sleep(5, ending.signal);
const objects = app.status().kinds.reduce((sum, kind) => sum + kind.objects, 0);
if (options.stamped === true) atReady = await storedWithin40Ms();
tell({ ready: true, objects, syncSeconds: (clock.now() - startedAt) / 1000, ...used() });
await running;
loop.end();
tell({ stop: true, ...used() });
process.exit(0);

/** Changes by the product's own histogram, from receipt to durable: those within 40 ms, and all. */
async function storedWithin40Ms(): Promise<{ readonly within: number; readonly all: number }> {
  const { body } = await request(`${app.url}/metrics`);
  const text = await body.text();
  const count = (pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? Number.NaN);
  return {
    within: count(/^kubefold_change_to_stored_seconds_bucket\{le="0\.04",resource="pods"\} (\d+)/m),
    all: count(/^kubefold_change_to_stored_seconds_count\{resource="pods"\} (\d+)/m),
  };
}
