import { writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { seedCluster } from '../../src/hollow/load.ts';
import { type Hollow, startHollow } from '../../src/hollow/server.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { kubefold, startKubefold } from '../commands/kubefold.ts';
import type { Child } from '../support/spawn.ts';
import { type TempDir, tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { Copy } from './copy.ts';
import { TestMirror } from './test-mirror.ts';

let hollow: Hollow;
beforeEach(async () => {
  hollow = await startHollow();
  seedCluster(hollow, { pods: 200, nodes: 3, namespaces: 3, bytes: 1_500 });
});
afterEach(() => hollow.close());

describe('a second start on the same file', () => {
  test('writes nothing anew when nothing has changed', async () => {
    await using first = await TestMirror.start(hollow);
    await first.ready();
    const before = first.copy.all('SELECT resource, namespace, name, written_at FROM objects ORDER BY resource, namespace, name');
    const writes = first.copy.writes();
    await first.stop();
    await using second = await TestMirror.start(hollow, { dir: first.dir });
    await second.ready();
    expect(second.copy.differences(hollow)).toEqual([]);
    expect(second.copy.writes()).toBe(writes);
    expect(second.copy.all('SELECT resource, namespace, name, written_at FROM objects ORDER BY resource, namespace, name')).toEqual(before);
    expect(before.length).toBeGreaterThan(200);
  });

  test('writes exactly what was made, changed, deleted and replaced meanwhile', async () => {
    await using first = await TestMirror.start(hollow);
    await first.ready();
    const writes = first.copy.writes();
    await first.stop();
    const [changed = '', deleted = '', replaced = ''] = hollow.keys('pods');
    const [namespace = '', name = ''] = replaced.split('/');
    hollow.create('pods', { metadata: { name: 'made', namespace: 'default' }, spec: { containers: [] } });
    hollow.patch('pods', changed, { metadata: { labels: { changed: 'yes' } } });
    hollow.delete('pods', deleted);
    hollow.delete('pods', replaced);
    hollow.create('pods', { metadata: { name, namespace }, spec: { containers: [] } });
    await using second = await TestMirror.start(hollow, { dir: first.dir });
    await second.ready();
    await second.copy.equals(hollow);
    // One each; the replaced one may be a delete and a put.
    expect(second.copy.writes() - writes).toBeGreaterThanOrEqual(4);
    expect(second.copy.writes() - writes).toBeLessThanOrEqual(5);
    expect(second.copy.row('pods', deleted)).toBeUndefined();
  });

  test('with other rules removes what they leave out now, also of kinds that are not mirrored any more', async () => {
    await using first = await TestMirror.start(hollow);
    await first.ready();
    await first.stop();
    const config = {
      fence: { maxDeleteShare: 1 },
      resources: [
        { kinds: ['services'], mirror: false },
        { kinds: ['pods'], namespaces: { include: ['load-000'] } },
      ],
    };
    await using second = await TestMirror.start(hollow, { dir: first.dir, config });
    await second.ready();
    const kinds = [...hollow.world.kinds()].map(({ id }) => id).filter((id) => !['services', 'secrets', 'leases.coordination.k8s.io'].includes(id));
    await second.copy.equals(hollow, { kinds, stored: (tree, kind) => (kind === 'pods' && tree.metadata?.namespace !== 'load-000' ? null : tree) });
    expect(second.copy.rows('pods').length).toBeGreaterThan(0);
    expect(second.copy.all("SELECT count(*) AS n FROM scopes WHERE resource = 'services'")).toEqual([{ n: 0 }]);
  });
});

describe('the real program', () => {
  let dir: TempDir;
  beforeEach(() => {
    dir = tempDir('program');
    writeFileSync(dir.file('kubeconfig'), hollow.kubeconfig());
  });
  afterEach(() => dir.remove());

  const args = (...more: string[]): string[] => [
    'run',
    '--kubeconfig',
    dir.file('kubeconfig'),
    '--storage',
    `sqlite:${dir.file('copy.db')}`,
    '--log-format',
    'json',
    '--listen',
    'off',
    ...more,
  ];
  const firstSync = (child: Child): Promise<unknown> => child.printed(/first sync complete/, { on: 'stderr' });

  test('--once ends with 0 and an exact copy, and verify agrees', async () => {
    const exit = await kubefold(args('--once'));
    expect(exit.stderr).toMatch(/"kinds":\d+,"objects":\d+,.*"first sync complete"/);
    expect(exit.code).toBe(0);
    expect(exit.stdout).toBe('');
    using copy = new Copy(dir.file('copy.db'));
    expect(copy.differences(hollow)).toEqual([]);
    const verdict = await kubefold(['verify', '--kubeconfig', dir.file('kubeconfig'), '--storage', `sqlite:${dir.file('copy.db')}`]);
    const objects = copy.all('SELECT count(*) AS n FROM objects')[0]?.['n'];
    expect(verdict.stdout).toContain(`equal: ${String(objects)} objects`);
    expect(verdict.code).toBe(0);
    hollow.delete('pods', hollow.keys('pods')[0] ?? '');
    const later = await kubefold(['verify', '--kubeconfig', dir.file('kubeconfig'), '--storage', `sqlite:${dir.file('copy.db')}`]);
    expect(later.stdout).toMatch(/in the copy, but not in the cluster[\s\S]*different: /);
    expect(later.code).toBe(1);
  });

  test('--once ends with 1 and says what to do when a kind is refused, with everything else in the copy', async () => {
    hollow.forbidden.add('services');
    const exit = await kubefold(args('--once'));
    expect(exit.code).toBe(1);
    expect(exit.stderr).toMatch(/the first sync is not complete: services: .*cannot list resource "services".*kubefold rbac/);
    using copy = new Copy(dir.file('copy.db'));
    expect(copy.rows('pods')).toHaveLength(200);
  });

  test('--once ends with 1 and names what storage refused, with everything else in the copy; one that runs on is ready', async () => {
    const [poison = ''] = hollow.keys('pods');
    expect((await kubefold(args('--once', '--kinds', 'nodes'))).code).toBe(0);
    const db = new DatabaseSync(dir.file('copy.db'));
    db.exec(
      `CREATE TRIGGER poison BEFORE INSERT ON objects WHEN NEW.namespace || '/' || NEW.name = '${poison}' BEGIN SELECT RAISE(ABORT, 'not this one'); END`,
    );
    db.close();
    const exit = await kubefold(args('--once'));
    expect(exit.stderr).toMatch(/kubefold: the first sync is complete but for 1 object that storage refused: pods \S+: .*not this one/);
    expect(exit.stderr).toContain(`pods ${poison}: `);
    expect(exit.code).toBe(1);
    using copy = new Copy(dir.file('copy.db'));
    expect(copy.differences(hollow)).toEqual([expect.stringContaining(poison)]);
    await using child = startKubefold(args());
    await firstSync(child);
  });

  test('SIGTERM writes what has arrived, ends with 0 at once, and the next start completes the copy', async () => {
    await using child = startKubefold(args());
    await firstSync(child);
    for (const key of hollow.keys('pods')) hollow.patch('pods', key, { metadata: { labels: { late: 'yes' } } });
    const startMs = systemClock.now();
    child.signal('SIGTERM');
    const { code } = await child.exited;
    expect(code).toBe(0);
    expect(systemClock.now() - startMs).toBeLessThan(5_000);
    const again = await kubefold(args('--once'));
    expect(again.code).toBe(0);
    using copy = new Copy(dir.file('copy.db'));
    expect(copy.differences(hollow)).toEqual([]);
  });

  test('SIGTERM also ends it while it waits for an API server that is not there', async () => {
    await hollow.close();
    await using child = startKubefold(args());
    await child.printed(/waiting for the API server/, { on: 'stderr' });
    child.signal('SIGTERM');
    expect((await child.exited).code).toBe(0);
    hollow = await startHollow();
  });

  test('SIGTERM in the middle of the first sync leaves a file that the next start completes', async () => {
    hollow.faults.add({ effect: { type: 'slow', ms: 400 }, verbs: ['list'], kinds: ['configmaps'] });
    await using child = startKubefold(args());
    await until(
      'some rows are there',
      () => {
        using copy = new Copy(dir.file('copy.db'));
        return copy.rows('pods').length > 0;
      },
      { everyMs: 20 },
    );
    child.signal('SIGTERM');
    expect((await child.exited).code).toBe(0);
    hollow.faults.clear();
    hollow.delete('pods', hollow.keys('pods')[0] ?? '');
    expect((await kubefold(args('--once'))).code).toBe(0);
    using copy = new Copy(dir.file('copy.db'));
    expect(copy.differences(hollow)).toEqual([]);
  });

  test('killed without warning in the middle of changes: the next start makes the copy exact', async () => {
    await using child = startKubefold(args());
    await firstSync(child);
    for (const key of hollow.keys('pods')) hollow.patch('pods', key, { metadata: { labels: { late: 'yes' } } });
    child.signal('SIGKILL');
    await child.exited;
    for (const key of hollow.keys('pods').slice(0, 50)) hollow.delete('pods', key);
    expect((await kubefold(args('--once'))).code).toBe(0);
    using copy = new Copy(dir.file('copy.db'));
    expect(copy.differences(hollow)).toEqual([]);
  });

  test('a second signal ends it at once when the orderly end takes long', async () => {
    writeFileSync(dir.file('slow.yaml'), 'limits: { storage: { concurrency: 1, perSecond: 5 } }\n');
    await using child = startKubefold(args('--config', dir.file('slow.yaml')));
    await until(
      'rows come slowly',
      () => {
        using copy = new Copy(dir.file('copy.db'));
        return copy.kinds().length > 0;
      },
      { everyMs: 20 },
    );
    child.signal('SIGTERM');
    // npm hands a signal of the terminal on, so what comes right behind counts as the same one.
    await systemClock.sleep(1_500);
    const startMs = systemClock.now();
    child.signal('SIGTERM');
    const exit = await child.exited;
    expect(exit.code).toBe(1);
    expect(systemClock.now() - startMs).toBeLessThan(1_000);
  });

  test('two of them on one file: the second is refused with a reason, the first goes on', async () => {
    await using child = startKubefold(args());
    await firstSync(child);
    const second = await kubefold(args('--once'));
    expect(second.code).not.toBe(0);
    expect(second.stderr).toMatch(/copy\.db/);
    expect(second.stderr).toMatch(/another|already|writer|lock/i);
    hollow.create('configmaps', { metadata: { name: 'after', namespace: 'default' } });
    using copy = new Copy(dir.file('copy.db'));
    await copy.equals(hollow);
  });
});
