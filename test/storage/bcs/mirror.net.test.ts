import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openReader } from '../../../src/storage/open.ts';
import { CONTROL_HEADER } from '../../../src/web/control.ts';
import { until } from '../../support/until.ts';
import { BcsWorld, documentPath, SMALL } from './bcs-world.ts';
import { stepsBack } from './journal-checks.ts';

const PODS = SMALL.pods;

let world: BcsWorld;
beforeEach(async () => {
  world = await BcsWorld.start();
});
afterEach(() => world[Symbol.asyncDispose]());

describe('a mirror into the storage service', () => {
  test('writes each object once at its start, and nothing at the next (4.1 #9)', async () => {
    const first = await world.mirror();
    await first.ready();
    await world.exact();
    expect(world.objects().map(({ outcome }) => outcome)).toEqual(
      Array.from({ length: PODS + SMALL.nodes + world.hollow.keys('namespaces').length }, () => 'created'),
    );
    expect(first.app.status().kinds.find(({ id }) => id === 'pods')?.workers).toBe(4);
    await first.stop();
    world.journal.length = 0;
    const second = await world.mirror();
    await second.ready();
    await second.stop();
    expect(world.objects()).toEqual([]);
  });

  test('removes at the next start what went while it was away, also with its whole namespace (4.1 #4, #5)', async () => {
    const first = await world.mirror();
    await first.ready();
    await first.stop();
    world.change(PODS / 2, 9);
    const [namespace] = (world.hollow.keys('pods')[0] ?? '').split('/');
    for (const key of world.hollow.keys('pods')) if (key.startsWith(`${namespace}/`)) world.hollow.delete('pods', key);
    world.hollow.delete('namespaces', namespace ?? '');
    const second = await world.mirror();
    await second.ready();
    await world.exact();
    expect([...(await world.stored()).keys()].some((key) => key.startsWith(`${namespace}/`))).toBe(false);
  });

  test('removes the documents of a kind that is not mirrored any more, and then its record (4.1 #5)', async () => {
    const first = await world.mirror();
    await first.ready();
    await first.stop();
    await world.mirror({ kinds: ['nodes', 'namespaces'] });
    const reader = openReader(`bcs+${world.service.url}`);
    await until('the pods are gone', async () => !(await reader.kinds('prod')).includes('pods'));
    expect((await reader.scopes('prod')).map(({ kind }) => kind).sort()).toEqual(['namespaces', 'nodes']);
    await reader.close();
    expect(await world.stored()).toEqual(new Map());
  });

  test('documents of a kind that no rule is about, from the old program, are held however few they are, and go when somebody confirms it (4.1 #5)', async () => {
    const metadata = { name: 'old', namespace: 'default', uid: 'u-old', resourceVersion: '1' };
    const put = { method: 'PUT', body: JSON.stringify({ data: { apiVersion: 'v1', kind: 'Service', metadata } }) };
    await world.rest(documentPath('default/old', 'Service'), put);
    const there = async (): Promise<boolean> => (await world.document('default/old', 'Service')) !== null;
    const one = await world.mirror();
    await one.ready();
    await until('they are held', () => one.kind('services') !== undefined);
    expect(one.kind('services')).toMatchObject({ state: 'leaving', held: 1, firstHeld: 'default/old' });
    expect(one.log()).toContain('another program has stored these rows, and no rule here is about their kind');
    expect(await there()).toBe(true);
    await one.stop();
    expect(await there(), 'an end deletes nothing').toBe(true);
    const next = await world.mirror({ listen: '127.0.0.1:0' });
    const confirm = async (): Promise<boolean> => {
      const url = `${next.app.url}/control/held`;
      const { held } = (await (await fetch(url)).json()) as { readonly held: readonly { readonly kind: string; readonly token: string }[] };
      const body = JSON.stringify({ kind: 'services', token: held.find(({ kind }) => kind === 'services')?.token, count: 1 });
      return (await fetch(`${url}/confirm`, { method: 'POST', body, headers: { 'Content-Type': 'application/json', [CONTROL_HEADER]: '1' } })).ok;
    };
    await until('somebody can confirm it', confirm);
    await until('it is gone', async () => !(await there()));
    await until('the kind has left', () => next.kind('services') === undefined);
  });

  test('finds and mends what somebody else did to the documents, while it runs (4.1 #3, #4)', async () => {
    const one = await world.mirror();
    await one.ready();
    const [first = '', second = ''] = world.hollow.keys('pods');
    await world.rest(documentPath(first, 'Pod'), { method: 'DELETE' });
    const old = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: second.split('/')[1], namespace: second.split('/')[0], uid: 'other', resourceVersion: '1' },
    };
    await world.rest(documentPath(second, 'Pod'), { method: 'PUT', body: JSON.stringify({ data: old }) });
    await world.exact();
    expect(one.log()).toContain('rows differed from the cluster and are mended');
  });

  test('loses nothing to 1 % errors, cut connections and answers that are none; no older revision comes after a newer one (4.1 #1, #2, #8)', async () => {
    const one = await world.mirror();
    await one.ready();
    for (const effect of [
      { type: 'status', status: 500 },
      { type: 'reset', when: 'after' },
      { type: 'reset', when: 'before' },
      { type: 'wrong-body', form: 'html' },
    ] as const)
      world.service.faults.add({ effect, methods: ['PUT', 'DELETE'], share: 0.01 });
    for (let round = 0; round < 20; round++) {
      world.change(PODS, round);
      await until('the service works on it', () => world.objects().length > PODS * (round / 4), { everyMs: 5 });
    }
    await world.exact();
    expect(stepsBack(world.objects())).toEqual([]);
  });

  test('writes what is queued when it is told to end (4.1 #15)', async () => {
    const one = await world.mirror();
    await one.ready();
    world.service.faults.setLatency(50);
    world.change(PODS, 5);
    await until('the first of them is written', () => world.objects().some(({ outcome }) => outcome === 'updated'), { everyMs: 5 });
    await one.stop();
    world.service.faults.clear();
    expect(await world.stored()).toEqual(world.truth());
  });
});
