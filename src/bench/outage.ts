import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { DEFAULTS } from '../config/defaults.ts';
import { systemClock } from '../kit/clock.ts';
import { UsageError } from '../model/errors.ts';
import { Child, numberOf } from './child-process.ts';
import type { OutageKind } from './child/around-storage.ts';
import type { MirrorChildOptions } from './child/mirror.ts';
import type { Bench, BenchContext } from './context.ts';
import { type ChangingCluster, startChangingCluster } from './hollow-cluster.ts';
import { verified } from './kubefold-process.ts';
import { median, shown } from './report.ts';
import { Stored } from './stored.ts';
import { forgetPeak, usageOf } from './usage.ts';

const CHURNED_PODS = 20_000;
const CHANGES_PER_SECOND = 500;
const SWEPT_PODS = 100_000;
const OUTAGE_MS = 60_000;
/** Under load before the storage goes: what memory is compared with. */
const BEFORE_MS = 10_000;
const SAMPLE_MS = 250;
/** A copy this close behind has caught up; then the load ends, so that it can be compared. */
const CAUGHT_UP_MS = 1_000;
const GIVE_UP_MS = 180_000;
/** How much pending bodies may take up, and a tenth more. */
const ALLOWED_MIB = (DEFAULTS.pendingBytes / 2 ** 20) * 1.1;
const EXACT_WITHIN_SECONDS = 60;
/** Of the plain limit. */
const ROWS_A_TRANSACTION = 100;

interface Case {
  readonly name: string;
  readonly kind: OutageKind;
  readonly cluster: ChangingCluster;
  /** `churn`: any pod, at a rate, before, during and after. `sweep`: each pod once, during. */
  readonly load: 'churn' | 'sweep';
}

interface Sample {
  readonly atMs: number;
  readonly residentMiB: number;
  /** Of it: V8's heap, and what buffers hold outside of it. */
  readonly heapMiB: number;
  readonly buffersMiB: number;
  readonly pendingMiB: number;
  readonly unsettled: number;
  readonly oldestPendingMs: number;
  /** Since the start of the process. */
  readonly calls: number;
  readonly rows: number;
  readonly settled: number;
}

interface Result {
  readonly name: string;
  readonly beforeMiB: number;
  /** While it was gone, and from its return until the copy was exact. */
  readonly peakGoneMiB: number;
  readonly peakBackMiB: number;
  /** The sample with the most resident memory. */
  readonly highest: Sample;
  readonly peakPendingMiB: number;
  /** Keys that waited when the storage came back. */
  readonly dirty: number;
  /** Writes offered to storage: calls a second while it worked, and in each second while it was gone. */
  readonly callsBefore: number;
  readonly callsGone: readonly number[];
  readonly rowsGone: number;
  /** Rows that storage took in each second after its return. */
  readonly back: readonly number[];
  readonly behindSeconds: number;
  readonly exactSeconds: number;
  readonly plainSeconds: number;
  readonly readAgain: string;
  readonly wrong: number;
}

export const outage: Bench = {
  async run(context) {
    const pods = { churn: context.pods ?? (context.quick ? 500 : CHURNED_PODS), sweep: context.pods ?? (context.quick ? 1_000 : SWEPT_PODS) };
    const outageMs = context.quick ? 2_000 : OUTAGE_MS;
    const results: Result[] = [];
    const loads = (['churn', 'sweep'] as const).filter((load) => context.only === null || context.only === load);
    if (loads.length === 0) throw new UsageError(`--only must be churn or sweep, current value is ${context.only}`);
    for (const load of loads) {
      // A sweep is done when nine tenths of the outage are over.
      const perSecond = load === 'churn' ? CHANGES_PER_SECOND : pods.sweep / ((0.9 * outageMs) / 1000);
      const cluster = await startChangingCluster(context, { pods: pods[load], perSecond, changes: 1, history: 500_000 });
      try {
        const kinds: readonly OutageKind[] = load === 'churn' ? ['refuse', 'hang', 'locked'] : ['refuse'];
        for (const kind of kinds) {
          const what = load === 'churn' ? `${shown(pods.churn)} pods, ${CHANGES_PER_SECOND}/s` : `${shown(pods.sweep)} pods, each changed`;
          results.push(await measure(context, { name: `${what}, ${NAMES[kind]}`, kind, cluster, load }, outageMs));
        }
      } finally {
        await cluster.stop();
      }
    }
    const worst = (read: (one: Result) => number): number => Math.max(...results.map(read));
    const churned = results.filter((one) => one.callsBefore > 0);
    const per = (one: Result, second: number): string => shown(one.back[second] ?? 0);
    return {
      question: `Storage is gone for ${outageMs / 1000} s under load: what does that cost in memory and in attempts, and how soon is the copy exact again?`,
      table: [
        ['', 'MiB before', 'peak gone', 'peak back', 'its heap', 'its buffers', 'pending', 'dirty keys', 'read again', 'caught up s', 'exact s', 'plain s'],
        ...results.map((one) => [
          one.name,
          ...[one.beforeMiB, one.peakGoneMiB, one.peakBackMiB, one.highest.heapMiB, one.highest.buffersMiB, one.peakPendingMiB, one.dirty].map(shown),
          one.readAgain,
          ...[one.behindSeconds, one.exactSeconds, one.plainSeconds].map(shown),
        ]),
        [''],
        ['', 'writes/s before', 'gone: median', 'most', 'rows in all', 'back: rows in s 1', 's 2', 's 3', 'most'],
        ...results.map((one) => [
          one.name,
          ...[one.callsBefore, median(one.callsGone), Math.max(...one.callsGone), one.rowsGone].map(shown),
          ...[per(one, 0), per(one, 1), per(one, 2), shown(Math.max(...one.back))],
        ]),
      ],
      answers: [
        ...results.map((one) => ({
          name: `resident memory, most above before: ${one.name}`,
          value: Math.max(one.peakGoneMiB, one.peakBackMiB) - one.beforeMiB,
          unit: 'MiB',
          bar: { atMost: ALLOWED_MIB },
        })),
        { name: 'bodies that wait to be written, most, worst case', value: worst((one) => one.peakPendingMiB), unit: 'MiB', bar: { atMost: ALLOWED_MIB } },
        ...results.map((one) => ({ name: `exact after the return: ${one.name}`, value: one.exactSeconds, unit: 's', bar: { atMost: EXACT_WITHIN_SECONDS } })),
        {
          name: 'differences by content then (kubefold verify), all cases',
          value: results.reduce((sum, one) => sum + one.wrong, 0),
          unit: '',
          bar: { atMost: 0 },
        },
        ...results.map((one) => ({
          name: `exact, against rewriting as many rows and nothing else: ${one.name}`,
          value: one.exactSeconds / one.plainSeconds,
          unit: 'times',
        })),
        {
          name: 'writes in the busiest second while storage was gone, of those in a second before, worst case of churn',
          value: Math.max(0, ...churned.map((one) => Math.max(...one.callsGone) / one.callsBefore)),
          unit: 'times',
        },
      ],
      notes: [
        `Before: ${BEFORE_MS / 1000} s after a warm start, under the same load (each pod changed: at rest). Peak: the most resident memory that the kernel saw while storage was gone, and from its return until the copy was exact; heap and buffers as in the sample with most.`,
        `refused: every write is to be tried again, at once. hanging: no write comes back until the end, and then it was made though it says it was not. locked: another program holds SQLite's write lock.`,
        `Of churn, the load goes on after the return until the copy is less than ${CAUGHT_UP_MS / 1000} s behind; exact: every row at the revision of the cluster. Writes count calls of storage with rows.`,
        'Read again: requests for pods from the beginning of the outage (lists + further pages + single objects), since bodies beyond the bound are let go.',
        `Plain: as many rows of the same size rewritten in the same file by one prepared statement, ${ROWS_A_TRANSACTION} in a transaction, after the run.`,
      ],
    };
  },
};

const NAMES: Readonly<Record<OutageKind, string>> = { refuse: 'refused', hang: 'hanging', locked: 'locked' };

async function measure(context: BenchContext, { name, kind, cluster, load }: Case, outageMs: number): Promise<Result> {
  const file = join(context.folder, `${load}-${kind}.db`);
  const options: MirrorChildOptions = { kubeconfig: cluster.kubeconfig, storage: `sqlite:${file}`, kinds: ['pods'], outage: kind };
  context.say(`${name}: first sync, then started again`);
  const first = await startMirror(context, options);
  await first.ask('stop');
  await first.ended();
  const mirror = await startMirror(context, options);
  try {
    const samples: Sample[] = [];
    const look = async (): Promise<Sample> => {
      const sample = await sampleOf(mirror);
      samples.push(sample);
      return sample;
    };
    const lookUntil = async (isOver: (sample: Sample) => boolean): Promise<Sample> => {
      for (;;) {
        const sample = await look();
        if (isOver(sample)) return sample;
        await systemClock.sleep(SAMPLE_MS);
      }
    };
    if (load === 'churn') await cluster.ask('churn');
    const warm = await look();
    const before = await lookUntil((sample) => sample.atMs >= warm.atMs + (context.quick ? outageMs : BEFORE_MS));
    await cluster.requests();
    forgetPeak(mirror.pid);
    context.say(`${name}: gone for ${outageMs / 1000} s`);
    const giveBack = await takeAway(mirror, file, kind);
    let isSwept = load === 'churn';
    if (!isSwept) void cluster.ask('sweep').then(() => (isSwept = true));
    const gone = await look();
    await lookUntil((sample) => isSwept && sample.atMs >= gone.atMs + outageMs);
    const { peakMiB: peakGoneMiB } = usageOf(mirror.pid);
    forgetPeak(mirror.pid);
    await giveBack();
    const back = await look();
    const caughtUp = await lookUntil((sample) => sample.oldestPendingMs < CAUGHT_UP_MS || sample.atMs > back.atMs + GIVE_UP_MS);
    if (load === 'churn') await cluster.ask('calm');
    const exact = await untilExact(file, await cluster.truth(), () => lookUntil((sample) => sample.unsettled === 0 || sample.atMs > back.atMs + GIVE_UP_MS));
    const { peakMiB: peakBackMiB } = usageOf(mirror.pid);
    const pods = (await cluster.requests()).get('pods');
    context.say(`${name}: exact ${shown((exact.atMs - back.atMs) / 1000)} s after the return; compared by content`);
    const { wrong } = await verified(context, { kubeconfig: cluster.kubeconfig, file, kinds: 'pods' });
    await mirror.ask('stop');
    await mirror.ended();
    return {
      name,
      beforeMiB: before.residentMiB,
      peakGoneMiB,
      peakBackMiB,
      highest: samples.reduce((most, sample) => (sample.residentMiB > most.residentMiB ? sample : most)),
      peakPendingMiB: Math.max(...samples.map((sample) => sample.pendingMiB)),
      dirty: back.unsettled,
      callsBefore: ((before.calls - warm.calls) * 1000) / (before.atMs - warm.atMs),
      callsGone: perSecond(samples, { from: gone, to: back, read: (sample) => sample.calls }),
      rowsGone: back.rows - gone.rows,
      back: perSecond(samples, { from: back, to: exact, read: (sample) => sample.settled }),
      behindSeconds: (caughtUp.atMs - back.atMs) / 1000,
      exactSeconds: (exact.atMs - back.atMs) / 1000,
      plainSeconds: rewrite(file, back.unsettled),
      readAgain: `${pods?.lists ?? 0} + ${pods?.pages ?? 0} + ${pods?.gets ?? 0}`,
      wrong,
    };
  } finally {
    await mirror.stop();
  }
}

async function startMirror(context: BenchContext, options: MirrorChildOptions): Promise<Child> {
  const child = Child.node(context.program('bench/child/mirror'), [JSON.stringify(options)], { withinMs: 1_800_000 });
  await child.line('ready');
  return child;
}

async function sampleOf(mirror: Child): Promise<Sample> {
  const state = await mirror.ask('state');
  const field = (name: Exclude<keyof Sample, 'atMs' | 'residentMiB'>): number => numberOf(state, name);
  return {
    atMs: systemClock.now(),
    residentMiB: usageOf(mirror.pid).residentMiB,
    heapMiB: field('heapMiB'),
    buffersMiB: field('buffersMiB'),
    pendingMiB: field('pendingMiB'),
    unsettled: field('unsettled'),
    oldestPendingMs: field('oldestPendingMs'),
    calls: field('calls'),
    rows: field('rows'),
    settled: field('settled'),
  };
}

/** Returns how to give the storage back. */
async function takeAway(mirror: Child, file: string, kind: OutageKind): Promise<() => Promise<void>> {
  if (kind !== 'locked') {
    await mirror.ask('break');
    return async () => {
      await mirror.ask('mend');
    };
  }
  const other = new DatabaseSync(file, { timeout: 10_000 });
  other.exec('BEGIN IMMEDIATE');
  return async () => {
    other.exec('ROLLBACK');
    other.close();
  };
}

/** The first look at which every row is as in the cluster; throws when the mirror says that all is written and it is not. */
async function untilExact(file: string, truth: ReadonlyMap<string, string>, settled: () => Promise<Sample>): Promise<Sample> {
  using stored = new Stored(file);
  let looks = 0;
  for (;;) {
    const sample = await settled();
    const differences = stored.differences(truth);
    if (differences === 0) return sample;
    // The last changes may still be on their way from the cluster.
    if (++looks === 40) throw new Error(`${differences} rows are not as in the cluster, though only ${sample.unsettled} keys wait to be written`);
    await systemClock.sleep(SAMPLE_MS);
  }
}

/** What was added to a counter in each second; the last one may be short. */
function perSecond(
  samples: readonly Sample[],
  span: { readonly from: Sample; readonly to: Sample; readonly read: (sample: Sample) => number },
): readonly number[] {
  const { from, to, read } = span;
  const added: number[] = [];
  let before = read(from);
  for (let atMs = from.atMs + 1_000; atMs < to.atMs + 1_000; atMs += 1_000) {
    const last = samples.findLast((sample) => sample.atMs <= Math.min(atMs, to.atMs)) ?? from;
    added.push(read(last) - before);
    before = read(last);
  }
  return added.length === 0 ? [0] : added;
}

/** The plain limit of catching up: seconds in which so many rows are rewritten. The copy is of no use afterwards. */
function rewrite(file: string, rows: number): number {
  const db = new DatabaseSync(file);
  db.exec('PRAGMA synchronous = NORMAL');
  for (const { name } of db.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'").all()) db.exec(`DROP TRIGGER "${String(name)}"`);
  const bodies = db.prepare('SELECT rowid, CAST(body AS BLOB) AS body FROM objects LIMIT ?').all(rows);
  const update = db.prepare('UPDATE objects SET written_at = written_at + 1, body = CAST(? AS TEXT) WHERE rowid = ?');
  const startedAt = systemClock.now();
  bodies.forEach(({ rowid, body }, index) => {
    if (index % ROWS_A_TRANSACTION === 0) db.exec(index === 0 ? 'BEGIN IMMEDIATE' : 'COMMIT; BEGIN IMMEDIATE');
    update.run(body ?? null, rowid ?? null);
  });
  if (bodies.length > 0) db.exec('COMMIT');
  const seconds = (systemClock.now() - startedAt) / 1000;
  db.close();
  return seconds;
}
