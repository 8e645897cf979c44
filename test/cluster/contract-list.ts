import { describe, expect, test } from 'vitest';
import type { ListQuery } from '../../src/cluster/cluster.ts';
import { isNewer, isRevision } from '../../src/model/revision.ts';
import { until } from '../support/until.ts';
import { CONFIG_MAPS, GADGETS, names, NOWHERE, refusal } from './ground.ts';
import type { Ground } from './ground.ts';
import { never, readList } from './probe.ts';

/** Lists: pages, order, selectors, revisions, refusals. */
export function listContract(ground: Ground): void {
  const { cluster, newNamespace, createMap, deleteMap, write, mapsPath } = ground;

  describe('list', () => {
    test('is a snapshot over all its pages: every page tells the first page revision (SV-S1)', async () => {
      const namespace = await newNamespace();
      for (const item of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) await createMap(namespace, item);
      const first = await readList(cluster, CONFIG_MAPS, namespace, { limit: 3 });
      expect(names(first.list.items)).toEqual(['a', 'b', 'c']);
      expect(first.list.metadata.remainingItemCount).toBe(4);
      await createMap(namespace, 'bb');
      await createMap(namespace, 'ee');
      await deleteMap(namespace, 'f');
      const second = await readList(cluster, CONFIG_MAPS, namespace, { limit: 3, continue: first.list.metadata.continue });
      const third = await readList(cluster, CONFIG_MAPS, namespace, { limit: 3, continue: second.list.metadata.continue });
      expect(names([...second.list.items, ...third.list.items])).toEqual(['d', 'e', 'f', 'g']);
      expect(new Set([first, second, third].map((page) => page.list.metadata.resourceVersion)).size).toBe(1);
      expect(third.list.metadata.continue ?? '').toBe('');
      const fresh = await readList(cluster, CONFIG_MAPS, namespace);
      expect(names(fresh.list.items)).toEqual(['a', 'b', 'bb', 'c', 'd', 'e', 'ee', 'g']);
      expect(isNewer(fresh.list.metadata.resourceVersion, first.list.metadata.resourceVersion)).toBe(true);
    });

    test('is in the byte order of namespace/name, so a hyphen comes before the slash', async () => {
      const plain = await newNamespace('order');
      const hyphen = await newNamespace('order-a');
      await createMap(plain, 'a');
      await createMap(hyphen, 'z');
      const { list } = await readList(cluster, CONFIG_MAPS, '', { labelSelector: '!no-such-label' });
      const ours = list.items.map((item) => `${item.metadata.namespace}/${item.metadata.name}`).filter((key) => key === 'order/a' || key === 'order-a/z');
      expect(ours).toEqual(['order-a/z', 'order/a']);
    });

    test('has no kind and apiVersion in the items of built-in kinds, and metadata before the items', async () => {
      const namespace = await newNamespace();
      await createMap(namespace, 'one');
      const { list, text } = await readList(cluster, CONFIG_MAPS, namespace);
      expect(list).toMatchObject({ kind: 'ConfigMapList', apiVersion: 'v1' });
      expect(list.items[0]).not.toHaveProperty('kind');
      expect(list.items[0]).not.toHaveProperty('apiVersion');
      expect(text.indexOf('"resourceVersion"')).toBeLessThan(text.indexOf('"items"'));
    });

    test('of a namespace that does not exist is empty, with a revision, and items is never null', async () => {
      const { list } = await readList(cluster, CONFIG_MAPS, 'no-such-namespace');
      expect(list.items).toEqual([]);
      expect(isRevision(list.metadata.resourceVersion)).toBe(true);
    });

    test('of one namespace holds nothing of another', async () => {
      const [one, two] = [await newNamespace(), await newNamespace()];
      await createMap(one, 'mine');
      await createMap(two, 'theirs');
      expect(names((await readList(cluster, CONFIG_MAPS, one, { labelSelector: '!no-such-label' })).list.items)).toEqual(['mine']);
    });

    test('with resourceVersion=0 may be old, and ignores the limit', async () => {
      const namespace = await newNamespace();
      for (const item of ['a', 'b', 'c']) await createMap(namespace, item);
      const { list } = await until('the cached list has all three', async () => {
        const answer = await readList(cluster, CONFIG_MAPS, namespace, { resourceVersion: '0', limit: 1 });
        return answer.list.items.length === 3 ? answer : null;
      });
      expect(list.metadata.continue ?? '').toBe('');
    });

    test('evaluates label and field selectors, and then does not say how many remain (SV-S1, SV-S13)', async () => {
      const namespace = await newNamespace();
      for (const [item, tier] of [
        ['a', 'web'],
        ['b', 'db'],
        ['c', 'web'],
        ['d', 'web'],
      ] as const)
        await createMap(namespace, item, { labels: { tier } });
      const first = await readList(cluster, CONFIG_MAPS, namespace, { labelSelector: 'tier in (web),!gone', limit: 2 });
      expect(names(first.list.items)).toEqual(['a', 'c']);
      expect(first.list.metadata.remainingItemCount).toBeUndefined();
      const second = await readList(cluster, CONFIG_MAPS, namespace, {
        labelSelector: 'tier in (web),!gone',
        limit: 2,
        continue: first.list.metadata.continue,
      });
      expect(names(second.list.items)).toEqual(['d']);
      expect(names((await readList(cluster, CONFIG_MAPS, namespace, { fieldSelector: 'metadata.name=b' })).list.items)).toEqual(['b']);
    });

    test.each<[string, ListQuery, number]>([
      ['a selector that cannot be read', { labelSelector: 'a in' }, 400],
      ['a field that the kind does not have', { fieldSelector: 'spec.none=1' }, 400],
      ['a continue token that is no token', { continue: 'garbage' }, 400],
      ['a match without a revision', { resourceVersionMatch: 'Exact' }, 422],
    ])('refuses %s', async (_what, query, status) => {
      const error = await refusal(readList(cluster, CONFIG_MAPS, 'default', { limit: 1, ...query }));
      expect(error.status).toBe(status);
      expect(error.message).not.toBe('');
    });

    test('of a kind that does not exist is refused with 404', async () => {
      expect((await refusal(readList(cluster, GADGETS, ''))).status).toBe(404);
      expect((await refusal(readList(cluster, NOWHERE, ''))).status).toBe(404);
    });

    test('from a revision that is not there yet is refused after some seconds, with a time to come back (SV-S4)', async () => {
      const error = await refusal(readList(cluster, CONFIG_MAPS, 'default', { resourceVersion: '900000000000', resourceVersionMatch: 'NotOlderThan' }));
      expect(error).toMatchObject({ status: 504, reason: 'Timeout', retryAfterMs: 1_000 });
      expect(error.causes).toContain('ResourceVersionTooLarge');
    });

    test('of large objects comes in several chunks that together are one JSON text', async () => {
      const namespace = await newNamespace();
      const text = 'ä€😀"\\'.repeat(10_000);
      for (let i = 0; i < 12; i += 1) {
        await write(mapsPath(namespace), { method: 'POST', body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `large-${i}` }, data: { text } } });
      }
      const answer = await readList(cluster, CONFIG_MAPS, namespace);
      expect(answer.chunks).toBeGreaterThan(1);
      expect(answer.list.items).toHaveLength(12);
      expect(answer.list.items.every((item) => item.data?.['text'] === text)).toBe(true);
    });

    test('ends with the error of its sink, and with the reason of its signal', async () => {
      const thrown = new Error('enough');
      const stop = (): void => {
        throw thrown;
      };
      await expect(cluster.list(CONFIG_MAPS, '', {}, stop, never())).rejects.toBe(thrown);
      const reason = new Error('shutting down');
      await expect(cluster.list(CONFIG_MAPS, '', {}, () => {}, AbortSignal.abort(reason))).rejects.toBe(reason);
    });
  });
}
