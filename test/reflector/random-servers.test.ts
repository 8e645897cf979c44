import fc from 'fast-check';
import { expect, test } from 'vitest';
import { silentLogger } from '../../src/kit/log.ts';
import { seededRandom } from '../../src/kit/random.ts';
import type { Kind } from '../../src/model/kind.ts';
import type { ResyncReason } from '../../src/reflector/state.ts';
import { createReflector } from '../../src/reflector/shell.ts';
import { ManualClock, settled } from '../support/manual-clock.ts';
import { type Fault, ScriptedCluster } from '../support/scripted-cluster.ts';
import { MapSink } from './map-sink.ts';

const PODS: Kind = { group: '', version: 'v1', resource: 'pods', kind: 'Pod', namespaced: true, singular: 'pod', shortNames: [], categories: [] };

type Act =
  | { readonly do: 'put' | 'remove' | 'removeUnreadably'; readonly name: string }
  | { readonly do: 'tick' | 'compact' | 'expireTokens' | 'endWatches' | 'cutWatches' | 'deletedWithoutObject' | 'garbage' }
  | { readonly do: 'advance'; readonly ms: number }
  | { readonly do: 'resync'; readonly reason: ResyncReason }
  /** What the next requests meet. */
  | { readonly do: 'faults'; readonly faults: readonly (Fault | null)[] };

const name = fc.integer({ min: 0, max: 12 }).map((number) => `o${number}`);
const fault: fc.Arbitrary<Fault | null> = fc.oneof(
  fc.constant(null),
  fc.constantFrom(401, 403, 404, 405, 410, 422, 429, 500, 503, 504).map((status): Fault => ({ do: 'refuse', status })),
  fc.constant<Fault>({ do: 'refuse', status: 504, reason: 'Timeout', causes: ['ResourceVersionTooLarge'] }),
  fc.integer({ min: 0, max: 5000 }).map((retryAfterMs): Fault => ({ do: 'refuse', status: 429, retryAfterMs })),
  fc.constantFrom('ECONNREFUSED', 'ECONNRESET').map((code): Fault => ({ do: 'network', code })),
  fc.integer({ min: 0, max: 2000 }).map((afterBytes): Fault => ({ do: 'cut', afterBytes })),
  fc.boolean().map((before): Fault => ({ do: 'hang', before })),
  fc.constantFrom(410, 429, 500, 504).map((status): Fault => ({ do: 'error', status })),
  fc.constant<Fault>({ do: 'end' }),
);
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 6, arbitrary: name.map((named): Act => ({ do: 'put', name: named })) },
  { weight: 3, arbitrary: name.map((named): Act => ({ do: 'remove', name: named })) },
  { weight: 1, arbitrary: name.map((named): Act => ({ do: 'removeUnreadably', name: named })) },
  {
    weight: 3,
    arbitrary: fc
      .constantFrom('tick', 'compact', 'expireTokens', 'endWatches', 'cutWatches', 'deletedWithoutObject', 'garbage')
      .map((what): Act => ({ do: what })),
  },
  {
    weight: 5,
    arbitrary: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 400_000 })).map((ms): Act => ({ do: 'advance', ms })),
  },
  { weight: 1, arbitrary: fc.constantFrom<ResyncReason>('rules', 'regressed', 'audit').map((reason): Act => ({ do: 'resync', reason })) },
  { weight: 4, arbitrary: fc.array(fault, { minLength: 1, maxLength: 6 }).map((faults): Act => ({ do: 'faults', faults })) },
);

const scenario = fc.record({
  acts: fc.array(act, { maxLength: 40, size: 'max' }),
  seed: fc.integer(),
  firstList: fc.constantFrom('paged' as const, 'streaming' as const),
  pageSize: fc.integer({ min: 1, max: 5 }),
  objects: fc.integer({ min: 0, max: 12 }),
  bookmarks: fc.boolean(),
  streams: fc.boolean(),
  resume: fc.boolean(),
  roomMs: fc.constantFrom(0, 0, 2000),
});

/**
 * Hypothesis: there is an order of refusals, cuts, silences, expiries and changes after which the reflector stands still, misses
 * a change, deletes what is there, or says it is further than it is.
 */
test('whatever a server does, in the end the sink equals the cluster, and on the way nothing was claimed that was not so', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async (plan) => {
      const clock = new ManualClock();
      const random = seededRandom(plan.seed);
      const cluster = new ScriptedCluster({ kind: PODS, clock, random });
      cluster.bookmarks = plan.bookmarks;
      cluster.streams = plan.streams;
      const sink = new MapSink(cluster);
      if (plan.roomMs > 0) sink.waitForRoom = (signal) => clock.sleep(plan.roomMs, signal);
      // An empty sink may resume only from a time when there was nothing.
      const resumeFrom = plan.resume ? cluster.revision : null;
      for (let number = 0; number < plan.objects; number++) cluster.put(`o${number}`);
      const options = { firstList: plan.firstList, pageSize: plan.pageSize };
      const reflector = createReflector({ kind: PODS, scope: '', cluster, sink, clock, random, log: silentLogger, resumeFrom, options });
      const ending = new AbortController();
      const running = reflector.run(ending.signal);
      let planned: (Fault | null)[] = [];
      cluster.fault = () => planned.shift() ?? null;
      for (const next of plan.acts) {
        switch (next.do) {
          case 'put':
            cluster.put(next.name);
            break;
          case 'remove':
          case 'removeUnreadably':
            cluster[next.do](next.name);
            break;
          case 'advance':
            await clock.advanceAsync(next.ms);
            break;
          case 'resync':
            reflector.resync(next.reason);
            break;
          case 'faults':
            planned = [...next.faults];
            break;
          case 'deletedWithoutObject':
            cluster.inject('{"type":"DELETED","object":null}\n');
            break;
          case 'garbage':
            cluster.inject('garbage\n');
            break;
          default:
            cluster[next.do]();
        }
        await settled();
      }
      planned = [];
      await clock.advanceAsync(20 * 60_000);
      // It may just stand between two watches.
      for (let looks = 0; looks < 10 && cluster.open === 0; looks++) await clock.advanceAsync(300);
      expect(sink.breaches).toEqual([]);
      expect(sink.state).toEqual(cluster.truth);
      expect(sink.statuses.at(-1)).toEqual({ at: 'watching', connected: true });
      const requestsBefore = cluster.requests.length;
      cluster.put('last');
      await settled();
      expect(sink.state, 'a change arrives at once').toEqual(cluster.truth);
      expect(sink.progressed).toBe(cluster.revision);
      expect(cluster.requests.length).toBe(requestsBefore);
      ending.abort();
      await running;
      await settled();
      expect([cluster.open, clock.pending]).toEqual([0, 0]);
      expect(cluster.mostOpen).toBe(1);
    }),
    {
      numRuns: Number(process.env['KUBEFOLD_RUNS'] ?? 150),
      ...(process.env['KUBEFOLD_SEED'] === undefined ? {} : { seed: Number(process.env['KUBEFOLD_SEED']) }),
    },
  );
});
