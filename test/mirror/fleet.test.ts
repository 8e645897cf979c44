import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/schema.ts';
import { Fleet, type FleetMirror } from '../../src/mirror/fleet.ts';
import { noWorkloads } from '../../src/mirror/workload-counts.ts';
import type { Control } from '../../src/model/control.ts';
import type { MirrorStatus } from '../../src/model/status.ts';
import { kindIn, statusOf } from '../web/statuses.ts';
import { ManualClock } from '../support/manual-clock.ts';

const config = (text: string): Config => loadConfig({ text, file: 'x' });

/** A mirror of one shard: so many pods, in this phase. */
class Part implements FleetMirror {
  readonly applied: Config[] = [];
  readonly control: Control = { clusterName: 'c' } as Control;
  readonly workloads = { ...noWorkloads(), renewed: 3 };
  readonly objects: number;
  phase: MirrorStatus['phase'] = 'live';

  constructor(objects: number) {
    this.objects = objects;
  }

  isReady(): boolean {
    return this.phase === 'live';
  }

  apply(next: Config): void {
    this.applied.push(next);
  }

  status(): MirrorStatus {
    return statusOf([kindIn({ objects: this.objects })], { phase: this.phase });
  }

  gauges(): ReturnType<FleetMirror['gauges']> {
    const queue = { depth: 1, unfinishedSeconds: 0, longestSeconds: this.objects };
    const freshness = { oldestPendingSeconds: 0, heardAtSeconds: this.objects, lagRevisions: null, lagSeconds: 0 };
    return [{ id: 'pods', kind: 'Pod', objects: this.objects, parked: 0, held: 0, ...freshness, queue }];
  }
}

let idle: MirrorStatus['phase'] = 'standby';
function fleet(): Fleet {
  const configuration = { status: { version: 'v1', appliedAt: null, waitsForRestart: [], refused: null }, warnings: [] };
  return new Fleet({ clusterName: 'c', address: 'api:443', config: config(''), configuration, clock: new ManualClock(), idlePhase: () => idle });
}

async function metric(of: Fleet, name: string): Promise<string | undefined> {
  return (await of.metrics.registry.metrics()).split('\n').find((line) => line.startsWith(name));
}

test('a process without a mirror is in the phase that it says, and writes nothing', () => {
  idle = 'connecting';
  const one = fleet();
  expect([one.status().phase, one.isReady()]).toEqual(['connecting', false]);
  idle = 'standby';
  expect(one.status()).toMatchObject({ phase: 'standby', cluster: 'c', address: 'api:443', configuration: { version: 'v1' }, kinds: [] });
});

test('mirrors that come and go are one picture, and each is ready or none', async () => {
  const one = fleet();
  const [a, b] = [new Part(3), new Part(5)];
  one.add(0, a);
  one.add(2, b);
  expect(one.status()).toMatchObject({ phase: 'live', kinds: [{ id: 'pods', objects: 8 }] });
  expect([one.isReady(), one.statusOf(2)?.phase, one.statusOf(1)]).toEqual([true, 'live', null]);
  expect(await metric(one, 'kubefold_objects{')).toBe('kubefold_objects{resource="pods"} 8');
  expect(await metric(one, 'kubefold_heard_timestamp_seconds{'), 'the one heard longest ago').toContain('} 3');
  expect(await metric(one, 'workqueue_depth{')).toContain('} 2');
  b.phase = 'syncing';
  expect([one.status().phase, one.isReady()]).toEqual(['syncing', false]);
  one.remove(2);
  expect([one.status().phase, one.isReady()]).toEqual(['live', true]);
});

test('what a mirror has counted stays when it goes', async () => {
  const one = fleet();
  one.add(0, new Part(3));
  one.add(1, new Part(3));
  one.shared.metrics.forKind('pods').changes.added.inc(4);
  expect(await metric(one, 'kubefold_workload_renewals_total')).toBe('kubefold_workload_renewals_total 6');
  one.remove(1);
  one.remove(0);
  expect(await metric(one, 'kubefold_workload_renewals_total')).toBe('kubefold_workload_renewals_total 6');
  expect(one.metrics.changes()).toBe(4);
});

test('a new configuration is told to every mirror that is there', () => {
  const one = fleet();
  const [a, b] = [new Part(1), new Part(1)];
  one.add(0, a);
  one.add(1, b);
  const next = config('audit: { everySeconds: null }');
  one.apply(next);
  expect([a.applied, b.applied]).toEqual([[next], [next]]);
  expect(one.status().audit.everySeconds, 'as the mirrors say').toBe(300);
  one.remove(0);
  one.remove(1);
  expect(one.status().audit.everySeconds).toBeNull();
});
