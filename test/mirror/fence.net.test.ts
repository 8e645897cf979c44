import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FaultRule } from '../../src/hollow/faults.ts';
import { seedCluster } from '../../src/hollow/load.ts';
import { type Hollow, startHollow } from '../../src/hollow/server.ts';
import { until } from '../support/until.ts';
import { CRDS, widgetCrd, WIDGETS } from './support/widgets.ts';
import { TestMirror } from './test-mirror.ts';

let hollow: Hollow;
beforeEach(async () => {
  hollow = await startHollow();
});
afterEach(() => hollow.close());

function widgets(count: number): void {
  for (let i = 0; i < count; i++) {
    hollow.create(WIDGETS, { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: `w${i}`, namespace: 'default' }, spec: { size: i } });
  }
}

const held = (mirror: TestMirror, kind: string): number => mirror.kind(kind)?.held ?? 0;
const quick = { everyMs: 20, withinMs: 10_000 } as const;

async function post(mirror: TestMirror, path: string, body: object): Promise<{ readonly code: number; readonly body: Record<string, unknown> }> {
  const headers = { 'Content-Type': 'application/json', 'X-Kubefold-Control': '1' };
  const response = await fetch(`${mirror.app.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  return { code: response.status, body: (await response.json()) as Record<string, unknown> };
}

interface Shown {
  readonly kind: string;
  readonly token: string;
  readonly count: number;
}

async function shown(mirror: TestMirror): Promise<readonly Shown[]> {
  return (JSON.parse((await mirror.get('/control/held')).text) as { readonly held: readonly Shown[] }).held;
}

// With a watch that lives the server tells of each object that goes with its CRD: those are deletions like any other.
describe('a CRD with many objects that goes unseen', () => {
  test('keeps its rows until somebody confirms; then rows and record go', async () => {
    hollow.create(CRDS, widgetCrd());
    widgets(60);
    await using first = await TestMirror.start(hollow);
    await first.ready();
    await first.stop();
    hollow.delete(CRDS, WIDGETS);
    await using mirror = await TestMirror.start(hollow, { dir: first.dir });
    await until('they are held', () => held(mirror, WIDGETS) === 60 && mirror.kind(WIDGETS)?.state === 'leaving', quick);
    expect(mirror.copy.rows(WIDGETS)).toHaveLength(60);
    await mirror.ready();
    expect((await mirror.get('/readyz')).code).toBe(200);
    const verbose = await mirror.get('/readyz?verbose');
    expect(verbose.code).toBe(200);
    expect(verbose.text).toMatch(
      /^\[\+\] widgets\.example\.com: .*60 deletions held, the first is default\/w0: kubefold confirm widgets\.example\.com shows them/m,
    );
    expect(await mirror.metric('kubefold_held_deletions{resource="widgets.example.com"}')).toBe(60);
    expect(mirror.log).toMatch(/"level":40.*"held":60,"of":60.*kubefold confirm widgets\.example\.com.*deletions are held/);

    const [pass] = await shown(mirror);
    expect(pass).toMatchObject({ kind: WIDGETS, count: 60, why: expect.stringMatching(/^the kind is not mirrored any more; 60 of 60 rows/) });
    expect((await post(mirror, '/control/held/confirm', { ...pick(pass), token: 'another' })).code).toBe(409);
    expect(mirror.copy.rows(WIDGETS)).toHaveLength(60);
    expect(await post(mirror, '/control/held/confirm', pick(pass))).toEqual({ code: 200, body: { released: 60 } });
    await mirror.copy.equals(hollow);
    await until('nothing is left of it', () => mirror.kind(WIDGETS) === undefined, quick);
    expect(mirror.copy.all("SELECT count(*) AS n FROM scopes WHERE resource = 'widgets'")).toEqual([{ n: 0 }]);
  });

  test('and comes back with its objects: nothing is held any more, and nothing was deleted', async () => {
    hollow.create(CRDS, widgetCrd());
    widgets(60);
    await using mirror = await TestMirror.start(hollow);
    await mirror.ready();
    hollow.freeze(WIDGETS);
    hollow.delete(CRDS, WIDGETS);
    await until('they are held', () => held(mirror, WIDGETS) === 60, quick);
    hollow.thaw();
    hollow.create(CRDS, widgetCrd());
    widgets(60);
    await mirror.copy.equals(hollow);
    await until('nothing is held', () => mirror.kind(WIDGETS)?.state === 'watching' && held(mirror, WIDGETS) === 0, quick);
    expect(mirror.copy.all("SELECT count(*) AS n FROM changes WHERE resource = 'widgets' AND type = 'delete'")).toEqual([{ n: 0 }]);
    expect(await shown(mirror)).toEqual([]);
  });

  test('with few of them is taken out without a question', async () => {
    hollow.create(CRDS, widgetCrd());
    widgets(20);
    await using mirror = await TestMirror.start(hollow);
    await mirror.ready();
    hollow.freeze(WIDGETS);
    hollow.delete(CRDS, WIDGETS);
    await mirror.copy.equals(hollow);
    expect(mirror.copy.rows(WIDGETS)).toEqual([]);
  });
});

describe('rules that leave out much', () => {
  test('hold the rows of a kind with many; a fence that allows more lets them go at once', async () => {
    seedCluster(hollow, { pods: 100, nodes: 2, namespaces: 2, bytes: 1_000, apps: false });
    await using mirror = await TestMirror.start(hollow, { follow: true });
    await mirror.ready();
    mirror.configure({ resources: [{ kinds: ['pods'], mirror: false }] });
    await until('they are held', () => held(mirror, 'pods') === 100, quick);
    expect(mirror.copy.rows('pods')).toHaveLength(100);
    mirror.configure({ resources: [{ kinds: ['pods'], mirror: false }], fence: { maxDeleteShare: 1 } });
    await until('they go', () => mirror.copy.rows('pods').length === 0, quick);
    await until('the kind is gone', () => mirror.kind('pods') === undefined, quick);
  });

  test('that are taken back give the kind back as it was', async () => {
    seedCluster(hollow, { pods: 100, nodes: 2, namespaces: 2, bytes: 1_000, apps: false });
    await using mirror = await TestMirror.start(hollow, { follow: true });
    await mirror.ready();
    const writes = mirror.copy.writes('pods');
    mirror.configure({ resources: [{ kinds: ['pods'], namespaces: { include: ['load-000'] } }] });
    await until('the rows of the other namespace are held', () => held(mirror, 'pods') > 0, quick);
    mirror.configure({});
    await until('nothing is held', () => mirror.kind('pods')?.complete === true && mirror.kind('pods')?.objects === 100 && held(mirror, 'pods') === 0, quick);
    await mirror.copy.equals(hollow);
    expect(mirror.copy.writes('pods')).toBe(writes);
  });
});

describe('what is no proof of absence deletes nothing of what an earlier run stored', () => {
  const onPods = (rule: Omit<FaultRule, 'kinds'>): FaultRule => ({ kinds: ['pods'], ...rule });
  test.each<[string, readonly FaultRule[]]>([
    ['a 403', [onPods({ effect: { type: 'forbid' } })]],
    ['a list that is cut in the middle', [onPods({ effect: { type: 'truncate', afterBytes: 100_000, end: 'reset' }, verbs: ['list'] })]],
    ['a list that ends cleanly in the middle', [onPods({ effect: { type: 'truncate', afterBytes: 100_000, end: 'clean' }, verbs: ['list'] })]],
    ['a 500 at the second page', [onPods({ effect: { type: 'reject', status: 500 }, verbs: ['list'], continued: true })]],
    [
      'a continue token that always expires, with a fallback that is refused',
      [
        onPods({ effect: { type: 'expired', form: 'http' }, verbs: ['list'], continued: true }),
        onPods({ effect: { type: 'reject', status: 500 }, verbs: ['watch'] }),
      ],
    ],
  ])('%s', async (_, faults) => {
    seedCluster(hollow, { pods: 600, nodes: 2, namespaces: 2, bytes: 1_000, apps: false });
    await using first = await TestMirror.start(hollow, { config: { kinds: ['pods'] } });
    await first.ready();
    const [deleted = '', changed = ''] = hollow.keys('pods');
    await first.stop();
    hollow.delete('pods', deleted);
    hollow.patch('pods', changed, { metadata: { labels: { changed: 'yes' } } });
    hollow.compact();
    for (const fault of faults) hollow.faults.add(fault);
    await using second = await TestMirror.start(hollow, { dir: first.dir, config: { kinds: ['pods'], fence: { maxDeleteShare: 1 } } });
    await until('it was refused again and again', () => (second.log.match(/"kind":"pods","component":"reflector","error":/g) ?? []).length >= 3, quick);
    expect(second.copy.rows('pods')).toHaveLength(600);
    expect(second.kind('pods')).toMatchObject({ held: 0 });
    hollow.faults.clear();
    await second.copy.equals(hollow, { kinds: ['pods'] });
    expect(second.copy.rows('pods')).toHaveLength(599);
  });
});

function pick(pass: Shown | undefined): object {
  return { kind: pass?.kind, token: pass?.token, count: pass?.count };
}
