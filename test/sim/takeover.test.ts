import { expect, test } from 'vitest';
import type { Plan, Step } from '../../src/sim/plan.ts';
import { simulate } from '../../src/sim/simulation.ts';

/* What seeds have found about taking over, as the smallest plans that failed then. */

const MAPS = 'configmaps';
const put = (namespace: string, name: string, how: 'plain' | 'poison' = 'plain'): Step => ({ do: 'put', kind: MAPS, namespace, name, how });

function plan(seed: number, steps: readonly Step[], settings: Partial<Plan> = {}): Plan {
  return { seed, firstList: 'paged', pendingBytes: 65_536, batchLimit: 1, workers: 2, heals: true, steps, outage: null, ...settings };
}

test.each<[string, Plan]>([
  [
    'whoever has not noticed yet that the cluster was restored does not judge the rows of a leader that has',
    plan(684, [{ do: 'pass', ms: 11_628 }, { do: 'backUp' }, { do: 'standby' }, { do: 'restore', cuts: false }, put('ns-a', 'n1')]),
  ],
  [
    'nor does one that cannot look: it begins on the rows',
    plan(684, [
      { do: 'pass', ms: 11_628 },
      { do: 'backUp' },
      { do: 'standby' },
      { do: 'restore', cuts: false },
      put('ns-a', 'n1'),
      { do: 'pass', ms: 36_000 },
      { do: 'api', fault: 'unavailable', kind: null, share: 1, ms: 6_000, times: null },
      { do: 'stop', graceMs: 0, downMs: 1_000 },
      { do: 'pass', ms: 5_000 },
    ]),
  ],
  [
    'where the former record is of a history that is over, no watermark of ours says that its rows are right',
    plan(
      196,
      [
        { do: 'backUp' },
        { do: 'replace', kind: MAPS, namespace: 'ns-c', name: 'n0' },
        { do: 'restore', cuts: false },
        { do: 'standby' },
        put('ns-c', 'n0'),
        { do: 'stop', graceMs: 25_000, downMs: 33_812 },
      ],
      { pendingBytes: 16_384, batchLimit: 3, workers: 1 },
    ),
  ],
  [
    'the record of a refusal goes with its object, also when that went while nobody led',
    plan(
      788,
      [
        put('ns-b', 'n4', 'poison'),
        { do: 'pass', ms: 7 },
        { do: 'standby' },
        { do: 'pass', ms: 16_916 },
        { do: 'freeze', steps: 5, downMs: 14_372 },
        put('ns-d', 'n0'),
        { do: 'remove', kind: 'namespaces', namespace: '', name: 'ns-b' },
        { do: 'pass', ms: 44 },
      ],
      { pendingBytes: 16_384, batchLimit: 3 },
    ),
  ],
])('%s', async (_, found) => {
  expect((await simulate(found)).failure).toBeNull();
});
