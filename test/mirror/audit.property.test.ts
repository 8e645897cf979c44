import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parsePath } from '../../src/transform/paths.ts';
import type { Outcome } from '../../src/model/outcome.ts';
import { settled } from '../support/manual-clock.ts';
import { AuditWorld } from './audit-world.ts';
import { MirrorWorld, planOf } from './world.ts';

type Step =
  | { readonly do: 'put' | 'remove'; readonly name: number }
  | { readonly do: 'crowd'; readonly count: number }
  | { readonly do: 'poison'; readonly name: number }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'watches'; readonly how: 'cut' | 'end' | 'compact' | 'expire' | 'tick' }
  | { readonly do: 'delay'; readonly watch: number; readonly list: number; readonly read: number; readonly storage: number }
  | { readonly do: 'storage'; readonly mode: 'works' | 'fails' | 'unknown' };

const name = fc.integer({ min: 0, max: 11 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('put' as const), name }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('remove' as const), name }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('poison' as const), name }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('crowd' as const), count: fc.integer({ min: 1, max: 700 }) }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 6_000 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('watches' as const), how: fc.constantFrom('cut', 'end', 'compact', 'expire', 'tick') }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('delay' as const),
      // Each stays under the patience of the audit: a watch that lags for longer is a copy that is wrong.
      watch: fc.constantFrom(0, 0, 50, 2_000, 8_000),
      list: fc.constantFrom(0, 50, 1_000, 4_000),
      read: fc.constantFrom(0, 0, 5, 500),
      storage: fc.constantFrom(0, 0, 20, 3_000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('storage' as const), mode: fc.constantFrom('works', 'works', 'fails', 'unknown') }) },
);

/** Changes one row behind the mirror's back; returns the cause that the audit must find. */
const CORRUPTIONS: Readonly<Record<'body' | 'uid' | 'revision', (row: { uid: string; revision: string; body: string }) => void>> = {
  body: (row) => {
    row.body = row.body.replace('"value":"', '"value":"changed ');
  },
  uid: (row) => {
    row.uid = 'somebody-else';
  },
  revision: (row) => {
    row.revision = '1';
  },
};

async function act(audited: AuditWorld, steps: readonly Step[]): Promise<void> {
  const { world, reader } = audited;
  const { cluster, storage, random } = world;
  const retry: Outcome = { kind: 'retry', error: 'scripted' };
  let mode: 'works' | 'fails' | 'unknown' = 'works';
  storage.fault = (write) => {
    if (write.type === 'put' && Buffer.from(write.body.subarray(0, 400)).includes('poison'))
      return { outcome: { kind: 'rejected', error: 'poison' }, happened: false };
    return mode === 'works' || random.next() < 0.5 ? null : { outcome: retry, happened: mode === 'unknown' };
  };
  let puts = 0;
  for (const current of steps) {
    switch (current.do) {
      case 'put':
        cluster.put(`n${current.name}`, `good ${puts++}`);
        break;
      case 'poison':
        cluster.put(`n${current.name}`, `poison ${puts++}`);
        break;
      case 'remove':
        cluster.remove(`n${current.name}`);
        break;
      case 'crowd':
        for (let index = 0; index < current.count; index++) cluster.put(`crowd-${index}`, `good ${puts++}`);
        break;
      case 'pass':
        await world.pass(current.ms);
        break;
      case 'watches':
        if (current.how === 'cut') cluster.cutWatches();
        else if (current.how === 'end') cluster.endWatches();
        else if (current.how === 'compact') cluster.compact();
        else if (current.how === 'expire') cluster.expireTokens();
        else cluster.tick();
        break;
      case 'delay':
        world.watchMs = () => Math.floor(random.next() * current.watch);
        world.answerMs = () => Math.floor(random.next() * current.list);
        reader.delayMs = () => Math.floor(random.next() * current.read);
        storage.delayMs = () => Math.floor(random.next() * current.storage);
        break;
      case 'storage':
        mode = current.mode;
        break;
      default:
        current satisfies never;
    }
  }
  mode = 'works';
  world.watchMs = () => 0;
  world.answerMs = () => 0;
  reader.delayMs = () => 0;
  storage.delayMs = () => 0;
  for (let index = 0; index < 12; index++) if (cluster.truth.has(`default/n${index}`)) cluster.put(`n${index}`, `good ${puts++}`);
  for (let turn = 0; turn < 10; turn++) await world.pass(10_000);
  await settled();
}

test('nothing is reported while nobody but the mirror writes, however late, failed and out of step everything is; and then exactly what was changed behind its back', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 60, size: 'max' }),
      fc.nat(),
      fc.constantFrom<{ minIntervalSeconds?: number; ignored?: true }>({}, {}, { minIntervalSeconds: 5 }, { ignored: true }),
      async (steps, seed, { minIntervalSeconds = 0, ignored }) => {
        const plan = planOf({ minIntervalSeconds, ignoreChanges: ignored === undefined ? [] : [parsePath('data.value')] });
        const world = new MirrorWorld({ seed, mirror: { plan } });
        const audited = new AuditWorld(world);
        await world.start();
        audited.begin();
        await act(audited, steps);
        expect(audited.drift).toEqual({});
        expect(audited.relists).toBe(0);
        expect(audited.last).not.toBeNull();
        expect(audited.last?.untold).toBe(0);
        expect(audited.last?.objects).toBe(world.cluster.truth.size);

        const rows = [...world.storage.rows];
        const causes: Record<string, number> = {};
        const changes = ignored === undefined ? (['body', 'uid', 'revision', 'missing', 'surplus'] as const) : (['uid', 'missing', 'surplus'] as const);
        rows.forEach(([id, row], index) => {
          const cause = changes[(seed + index) % 7];
          if (cause === undefined) return;
          causes[cause] = (causes[cause] ?? 0) + 1;
          if (cause === 'missing') world.storage.rows.delete(id);
          else if (cause === 'surplus') world.storage.rows.set(`${id}-extra`, { ...row });
          else CORRUPTIONS[cause](row);
        });
        for (let turn = 0; turn < 5; turn++) await world.pass(10_000);
        expect(audited.drift).toEqual(causes);
        expect(audited.last?.drift).toBe(0);
        if (ignored === undefined) expect(world.rows()).toEqual(world.truth());
        await audited.end();
        await world.stop();
        expect(world.clock.pending).toBe(0);
      },
    ),
    {
      numRuns: Number(process.env['KUBEFOLD_RUNS'] ?? 40),
      ...(process.env['KUBEFOLD_SEED'] === undefined ? {} : { seed: Number(process.env['KUBEFOLD_SEED']) }),
    },
  );
}, 600_000);
