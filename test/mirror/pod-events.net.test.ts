import { expect, test } from 'vitest';
import { createCluster } from '../../src/cluster/api-cluster.ts';
import { loadCredentials } from '../../src/cluster/credentials.ts';
import { hurriedClock } from '../../src/bench/child/hurried-clock.ts';
import { type Hollow, startHollow } from '../../src/hollow/server.ts';
import { type LogFields, type Logger, silentLogger } from '../../src/kit/log.ts';
import { PodEvents, podOf } from '../../src/mirror/pod-events.ts';
import type { MirrorStatus } from '../../src/model/status.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { kindIn, statusOf } from '../web/statuses.ts';
import { writeFileSync } from 'node:fs';

const POD = { name: 'kubefold-0', namespace: 'default', uid: 'u-1' };

/** Events of a pod in a hollow cluster, told of `status`, until `look` is content. */
async function told(
  status: () => MirrorStatus,
  look: (hollow: Hollow, lines: readonly string[]) => boolean | Promise<boolean>,
  prepare = (_: Hollow): void => {},
): Promise<void> {
  using dir = tempDir('pod-events');
  const hollow = await startHollow();
  const ending = new AbortController();
  const lines: string[] = [];
  const log: Logger = { ...silentLogger, warn: (message: string, fields?: LogFields) => void lines.push(`${message} ${JSON.stringify(fields)}`) };
  const clock = hurriedClock(20);
  writeFileSync(dir.file('kubeconfig'), hollow.kubeconfig());
  const credentials = await loadCredentials({ kubeconfig: dir.file('kubeconfig'), env: {}, home: dir.path, clock });
  const cluster = createCluster({ credentials, clock, version: 'test' });
  prepare(hollow);
  const running = new PodEvents({ pod: POD, events: cluster, status, clock, log }).run(ending.signal);
  try {
    await until('it was told', () => look(hollow, lines), { everyMs: 20, withinMs: 10_000 });
  } finally {
    ending.abort();
    await running;
    await cluster.close();
    await hollow.close();
  }
}

const events = (hollow: Hollow): readonly string[] => hollow.keys('events').filter((key) => key.startsWith('default/kubefold-0.'));
const held = statusOf([kindIn({ held: 60, heldSince: 7 })]);

test('what a person must know becomes one Event of the pod', async () => {
  await told(
    () => held,
    async (hollow) => {
      if (events(hollow).length === 0) return false;
      const [key = ''] = events(hollow);
      const answer = await fetch(`${hollow.url}/api/v1/namespaces/default/events/${key.split('/')[1]}`);
      expect(await answer.json()).toMatchObject({
        ...{ type: 'Warning', reason: 'DeletionsHeld', count: 1 },
        involvedObject: { kind: 'Pod', name: 'kubefold-0', namespace: 'default', uid: 'u-1' },
        source: { component: 'kubefold' },
      });
      expect(events(hollow)).toHaveLength(1);
      return true;
    },
  );
});

test('while the API server takes none they wait, one line in the log says so, and they come when it does', async () => {
  let taken = 0;
  await told(
    () => held,
    (hollow, lines) => {
      if (lines.length > 0 && taken === 0) {
        taken = 1;
        hollow.faults.clear();
      }
      expect(lines.length).toBeLessThan(2);
      return events(hollow).length === 1 && lines.length === 1;
    },
    (hollow) => void hollow.faults.add({ effect: { type: 'reject', status: 500 }, verbs: ['create'] }),
  );
});

test('without the right it is said once, and nothing is tried again', async () => {
  let looks = 0;
  await told(
    () => held,
    (hollow, lines) => {
      looks += lines.length > 0 ? 1 : 0;
      expect(lines.length).toBeLessThan(2);
      if (lines.length > 0) expect(lines[0]).toMatch(/could not be written.*DeletionsHeld/);
      return looks > 20 && events(hollow).length === 0;
    },
    (hollow) => void hollow.faults.add({ effect: { type: 'forbid' }, verbs: ['create'] }),
  );
});

test('the pod is known by the downward API only', () => {
  expect(podOf({})).toBeNull();
  expect(podOf({ POD_NAME: 'a' })).toBeNull();
  expect(podOf({ POD_NAME: 'a', POD_NAMESPACE: 'b' })).toEqual({ name: 'a', namespace: 'b', uid: '' });
});
