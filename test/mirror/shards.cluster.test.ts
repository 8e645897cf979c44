import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/kit/clock.ts';
import { seededRandom } from '../../src/kit/random.ts';
import { isInShard, type Shard, shardSelectorOf } from '../../src/model/shard.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import { type TempDir, tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { applyCrd, crd } from './support/ground.ts';
import { compareEveryObject, rowsOf } from './support/independent-comparison.ts';
import { makeConfigMaps, PlaneChurn } from './support/plane-churn.ts';
import { type ShardMirror, startShards } from './support/shard-mirrors.ts';

const seed = Number(process.env['KUBEFOLD_SEED'] ?? Date.now() % 1e9);
const SHARDS: readonly Shard[] = [0, 1].map((index) => ({ index, count: 2 }));
const MAPS = '/api/v1/namespaces/default/configmaps';

interface List {
  readonly metadata: { readonly shardInfo?: { readonly selector: string } };
  readonly items: readonly { readonly metadata: { readonly uid: string } }[];
}

describe.each([
  ['with the gate ShardedListAndWatch', ['--feature-gates=ShardedListAndWatch=true'], 'server'],
  ['without it', [], 'us'],
] as const)(`two shards of a real control plane ${'%s'}, with KUBEFOLD_SEED=${seed}`, (_name, apiServerFlags, splitBy) => {
  let plane: ControlPlane;
  let dir: TempDir;
  let shards: readonly ShardMirror[] = [];
  beforeEach(async () => {
    dir = tempDir('shards-cluster');
    plane = await startControlPlane({ apiServerFlags: [...apiServerFlags] });
    await applyCrd(plane, crd('boats', 'Boat', { scope: 'Namespaced', versions: ['v1'] }));
    await makeConfigMaps(plane, 100, (n) => `map-${n}`);
  });
  afterEach(async () => {
    await Promise.all(shards.map((shard) => shard.stop()));
    await plane?.close();
    dir.remove();
  });

  test('the server splits as we do, and both together are exact under churn with replacements, disjoint, and again after a start without a list', async () => {
    const answers = await Promise.all(SHARDS.map((shard) => plane.apiOk<List>(`${MAPS}?shardSelector=${encodeURIComponent(shardSelectorOf(shard))}`)));
    const all = await plane.apiOk<List>(MAPS);
    for (const [index, { metadata, items }] of answers.entries()) {
      const own = all.items.filter(({ metadata: { uid } }) => splitBy === 'us' || isInShard(uid, { index, count: 2 }));
      expect(items.map((item) => item.metadata.uid)).toEqual(own.map((item) => item.metadata.uid));
      expect(metadata.shardInfo?.selector).toBe(splitBy === 'us' ? undefined : shardSelectorOf({ index, count: 2 }));
    }
    const database = dir.file('copy.db');
    const start = async (epoch: number): Promise<void> => {
      shards = await startShards(2, { kubeconfig: plane.kubeconfigPath, url: `sqlite:${database}`, clusterName: 'test', clock: systemClock, epoch });
      await Promise.all(shards.map((shard) => shard.ready()));
    };
    const exact = async (): Promise<void> => {
      let last: readonly string[] = [];
      await until(
        'the copy equals the cluster',
        async () => {
          last = (await compareEveryObject(plane, database)).differences;
          if (last.length > 0) throw new Error(last.slice(0, 5).join('; '));
          return true;
        },
        { withinMs: 60_000, everyMs: 500 },
      );
    };
    await start(1);
    const churn = new PlaneChurn(plane, seededRandom(seed));
    churn.start();
    await until('there was churn', () => churn.changes > 600, { withinMs: 120_000 });
    await churn.stop();
    await exact();
    const stored = rowsOf(database).map(({ uid }) => uid);
    for (const [index, { mirror, log }] of shards.entries()) {
      const { kinds, shard } = mirror.status();
      expect(kinds.reduce((sum, { objects }) => sum + objects, 0)).toBe(stored.filter((uid) => isInShard(uid, { index, count: 2 })).length);
      expect(shard).toEqual({ index, count: 2, splitBy });
      expect(log).not.toMatch(/takes no writes|"level":"error"/);
    }
    await Promise.all(shards.map((shard) => shard.stop()));
    await churn.disturb(60);
    await start(2);
    await exact();
    for (const shard of shards) expect(await shard.lists()).toEqual({});
  }, 240_000);
});
