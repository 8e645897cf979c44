import { hash } from 'node:crypto';
import type { FaultRule } from '../../../../src/bcsstorage/faults.ts';
import { objectKey } from '../../../../src/model/key.ts';
import type { Draw } from '../../../../src/sim/draw.ts';
import { DEFINITIONS, MAPS, NODES, type SimKind, WIDGETS, WIDGETS_DEFINITION } from '../../../../src/sim/kinds.ts';
import type { Truth } from '../../../../src/sim/truth.ts';
import { comebacks, stepsBack } from '../journal-checks.ts';
import { TIMEOUT_MS, VirtualWorld } from './virtual-world.ts';

const MINUTE_MS = 60_000;
/** Changes come so often; one to three at a time. */
const BEAT_MS = 200;
const WATCHES_BREAK_EVERY_MS = 3 * MINUTE_MS;
/** When the changes end, and the faults do not, everything must be right within this: the longest backoff of a key is a minute. */
const RIGHT_WITHIN_MS = 5 * MINUTE_MS;
/** Longer than the latest of the requests that are carried out late. */
const AFTERMATH_MS = MINUTE_MS;

/** 1 % of all requests fail, 1 % are not answered after they were carried out. */
const FAULTS: readonly FaultRule[] = [
  { effect: { type: 'status', status: 500 }, share: 0.004 },
  { effect: { type: 'refuse' }, share: 0.002 },
  { effect: { type: 'reset', when: 'before' }, share: 0.002 },
  { effect: { type: 'reset', when: 'after' }, share: 0.002 },
  { effect: { type: 'hang', when: 'after' }, share: 0.01 },
];

/**
 * 1 % of the writes are carried out only when their client has given them up: in one minute while it still listens for the answer, in the next when it has cut the
 * connection. Never later than the engine says that it can bear (`cannot`).
 */
const LATE_MS = [TIMEOUT_MS + 3_000, 3 * TIMEOUT_MS + 2_000];

export interface StormResult {
  readonly changes: number;
  /** Documents put or deleted, as the service counts them. */
  readonly writes: number;
  /** What went wrong; the first few of each sort. */
  readonly failures: readonly string[];
  /** Of the service's log: equal for two runs of one seed. */
  readonly digest: string;
}

/** Minutes of changes while requests fail, time out and come late. The same seed is the same run. */
export async function storm(seed: number, minutes: number): Promise<StormResult> {
  const world = new VirtualWorld(seed);
  const { truth, service } = world;
  service.faults.setLatency(80, 40);
  truth.put(DEFINITIONS, '', WIDGETS_DEFINITION);
  const change = changes(truth, world.drawOf(5));
  for (let count = 0; count < 150; count++) change();
  await world.begin();
  await world.pass(10_000);

  for (const rule of FAULTS) service.faults.add(rule);
  let inTimeAgain = (): void => {};
  for (let since = 0; since < minutes * MINUTE_MS; since += BEAT_MS) {
    if (since % MINUTE_MS === 0) {
      inTimeAgain();
      const ms = LATE_MS[(since / MINUTE_MS) % LATE_MS.length] ?? 0;
      inTimeAgain = service.faults.add({ effect: { type: 'delay', when: 'before', ms }, methods: ['PUT', 'DELETE'], share: 0.01 });
    }
    change();
    if (since % WATCHES_BREAK_EVERY_MS === 0) world.server.streams(null, (stream) => stream.break());
    await world.pass(BEAT_MS);
  }
  const lastAt = world.nowMs;
  while (!(world.mirror.isReady() && world.differences().length === 0) && world.nowMs < lastAt + RIGHT_WITHIN_MS) await world.pass(1_000);
  await world.pass(AFTERMATH_MS);

  const failures = [...world.bugs];
  const sorts: readonly (readonly [string, readonly string[]])[] = [
    ['differs', world.differences()],
    ['older after newer', stepsBack(service.journal)],
    ['came back', comebacks(service.journal)],
  ];
  for (const [sort, found] of sorts) failures.push(...found.slice(0, 3).map((one) => `${sort} (${found.length}): ${one}`));
  if (!(await world.end())) failures.push('the mirror does not end');
  const writes = service.journal.filter(({ key }) => !key.includes('/KubefoldRecord/')).length;
  return { changes: truth.mutations, writes, failures, digest: hash('sha256', JSON.stringify(service.journal)) };
}

/** A few objects are hot, the others change now and then, go, and come back under the same name. */
function changes(truth: Truth, draw: Draw): () => void {
  const kind = (): SimKind =>
    draw.weighted([
      [70, MAPS],
      [20, WIDGETS],
      [10, NODES],
    ] as const);
  return () => {
    for (let left = draw.whole(1, 3); left > 0; left--) {
      const of = kind();
      const namespace = of === NODES ? '' : draw.of(['ns-a', 'ns-b', 'ns-c']);
      const name = `n${draw.chance(0.4) ? draw.whole(0, 3) : draw.whole(0, of === NODES ? 8 : 40)}`;
      const key = objectKey(namespace, name);
      const put = (): void => truth.put(of, namespace, name, { isQuiet: of === NODES && draw.chance(0.5), pad: draw.whole(10, 400) });
      const how = draw.weighted([
        [80, 'put'],
        [10, 'remove'],
        [10, 'replace'],
      ] as const);
      if (how !== 'put') truth.remove(of, key);
      if (how !== 'remove') put();
    }
  };
}
