import { expect, test } from 'vitest';
import type { ObjectTree } from '../../src/hollow/objects.ts';
import { type Hollow, startHollow } from '../../src/hollow/server.ts';
import { type Random, seededRandom } from '../../src/kit/random.ts';
import { until } from '../support/until.ts';
import { controlledBy, create, uidOf, withoutWorkload, workloadIn } from './support/owned.ts';
import { Copy } from './copy.ts';
import { TestMirror } from './test-mirror.ts';

const STEPS = 600;
const CONFIG = { resources: [{ kinds: ['pods'], annotateWorkload: true }], kinds: ['pods', 'replicasets.apps', 'deployments.apps', 'namespaces', 'nodes'] };
const SETS = 'replicasets.apps';

type Reference = { readonly kind: string; readonly name: string; readonly uid: string };

const int = (random: Random, below: number): number => Math.floor(random.next() * below);
const referencesOf = (tree: ObjectTree | undefined): readonly Reference[] => (tree?.metadata?.['ownerReferences'] ?? []) as unknown as readonly Reference[];

/** What a pod belongs to, by a plain walk over what the cluster has; null where an owner is gone: then whatever was known before may stand. */
function truth(hollow: Hollow, pod: ObjectTree): string | null {
  let top = 'none';
  for (let [owner] = referencesOf(pod); owner !== undefined; ) {
    top = `${owner.kind}/${owner.name}`;
    const found: ObjectTree | undefined = hollow.get(owner.kind === 'ReplicaSet' ? SETS : 'deployments.apps', `default/${owner.name}`);
    if (found?.metadata?.uid !== owner.uid) return null;
    [owner] = referencesOf(found);
  }
  return top;
}

function change(hollow: Hollow, random: Random, step: number): void {
  const deployment = `Deployment/web${int(random, 4)}`;
  const set = `set${int(random, 8)}`;
  const pods = hollow.keys('pods');
  const pod = pods[int(random, pods.length)];
  // The uid that the set has now, if there is one: a reference to a set that was replaced is one to nobody.
  const setUid = hollow.get(SETS, `default/${set}`)?.metadata?.uid ?? uidOf('ReplicaSet', `${set}-${step}`);
  const dice = int(random, 20);
  if (dice < 6) create(hollow, `Pod/p${step}`, dice === 0 ? null : `ReplicaSet/${set}/${setUid}`);
  else if (dice < 8 && pod !== undefined) hollow.delete('pods', pod);
  else if (dice < 10 && pod !== undefined) hollow.patch('pods', pod, { metadata: { labels: { step: String(step) } } });
  else if (dice < 12 && pod !== undefined)
    hollow.patch('pods', pod, { metadata: { ownerReferences: dice === 10 ? null : [controlledBy(`ReplicaSet/${set}/${setUid}`)] } });
  else if (hollow.get(SETS, `default/${set}`) === undefined) create(hollow, `ReplicaSet/${set}/${setUid}`, dice < 14 ? null : deployment);
  else if (dice < 13) hollow.delete(SETS, `default/${set}`);
  else if (dice < 18) hollow.patch(SETS, `default/${set}`, { metadata: { ownerReferences: dice === 13 ? null : [controlledBy(deployment)] } });
  else hollow.setStatus(SETS, `default/${set}`, { replicas: step });
}

async function isRight(hollow: Hollow, mirror: TestMirror): Promise<void> {
  const look = (): boolean => {
    expect(mirror.app.isReady()).toBe(true);
    const rows = new Map(mirror.copy.rows('pods').map((row) => [row.key, row.body]));
    expect([...rows.keys()].sort()).toEqual([...hollow.keys('pods')].sort());
    for (const live of hollow.list('pods')) {
      const { managedFields: _, ...metadata } = live.metadata ?? {};
      const body = rows.get(`default/${metadata.name}`) ?? {};
      expect(withoutWorkload(body)).toEqual(JSON.parse(JSON.stringify({ ...live, metadata })));
      const top = truth(hollow, live);
      if (top !== null) expect(`${metadata.name} belongs to ${workloadIn(body)}`).toBe(`${metadata.name} belongs to ${top}`);
    }
    return true;
  };
  await until('every row is its pod and names its top workload', look, { withinMs: 20_000, everyMs: 50 });
}

test.each([1, 4, 12])(
  'pods, their owners and who owns those change all the time, and the mirror is restarted amid that: every row comes to name the top workload (seed %i)',
  async (seed) => {
    const random = seededRandom(seed);
    await using hollow = await startHollow();
    for (let number = 0; number < 4; number++) create(hollow, `Deployment/web${number}`);
    let mirror = await TestMirror.start(hollow, { config: CONFIG });
    try {
      for (let step = 0; step < STEPS; step++) {
        change(hollow, random, step);
        if (step % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
        if (step % 150 === 149) {
          // Now and then with everything settled, else in the middle of things.
          if (int(random, 2) === 0) await isRight(hollow, mirror);
          await mirror.stop();
          for (let away = 0; away < 30; away++) change(hollow, random, STEPS + step * 100 + away);
          mirror = await TestMirror.start(hollow, { config: CONFIG, dir: mirror.dir });
        }
      }
      await isRight(hollow, mirror);
      await mirror.stop();
      using settled = new Copy(mirror.file);
      const writes = settled.writes('pods');
      mirror = await TestMirror.start(hollow, { config: CONFIG, dir: mirror.dir });
      await mirror.ready();
      await isRight(hollow, mirror);
      expect(mirror.copy.writes('pods')).toBe(writes);
    } finally {
      await mirror[Symbol.asyncDispose]();
    }
  },
  60_000,
);
