import { describe, expect, test } from 'vitest';
import { ApiError } from '../../src/model/errors.ts';
import { isNewer } from '../../src/model/revision.ts';
import { CONFIG_MAPS, GADGETS } from './ground.ts';
import type { Ground } from './ground.ts';
import { never, readList } from './probe.ts';

/** Watches and streaming lists: what comes, in which order, and how it ends. */
export function watchContract(ground: Ground): void {
  const { cluster, newNamespace, createMap, patchMap, deleteMap, watch } = ground;

  describe('watch', () => {
    test('from the revision of a list shows exactly what came after it, in order, with kind and apiVersion (SV-S7)', async () => {
      const namespace = await newNamespace();
      await createMap(namespace, 'before');
      const { list } = await readList(cluster, CONFIG_MAPS, namespace);
      await using probe = watch(CONFIG_MAPS, namespace, { resourceVersion: list.metadata.resourceVersion });
      const created = await createMap(namespace, 'one');
      const changed = await patchMap(namespace, 'one', { data: { text: 'b' } });
      await patchMap(namespace, 'before', { data: { text: 'b' } });
      await deleteMap(namespace, 'one');
      const deleted = await probe.event('the deletion', (event) => event.type === 'DELETED');
      expect(probe.story).toEqual(['ADDED one', 'MODIFIED one', 'MODIFIED before', 'DELETED one']);
      expect(probe.opens).toBe(1);
      expect(probe.events.every((event) => event.object.kind === 'ConfigMap' && event.object.apiVersion === 'v1')).toBe(true);
      expect(deleted.object.metadata.uid).toBe(created.metadata.uid);
      expect(isNewer(deleted.object.metadata.resourceVersion, changed.metadata.resourceVersion)).toBe(true);
      const revisions = probe.events.map((event) => event.object.metadata.resourceVersion);
      expect(revisions.every((revision, i) => i === 0 || isNewer(revision, revisions[i - 1] ?? ''))).toBe(true);
    });

    test('excludes the revision it starts from', async () => {
      const namespace = await newNamespace();
      const first = await createMap(namespace, 'one');
      const second = await patchMap(namespace, 'one', { data: { text: 'b' } });
      await using probe = watch(CONFIG_MAPS, namespace, { resourceVersion: first.metadata.resourceVersion });
      const seen = await probe.event('a change', () => true);
      expect(seen.object.metadata.resourceVersion).toBe(second.metadata.resourceVersion);
    });

    test('shows a recreated object under the same name with another uid', async () => {
      const namespace = await newNamespace();
      const old = await createMap(namespace, 'one');
      await using probe = watch(CONFIG_MAPS, namespace, { resourceVersion: old.metadata.resourceVersion });
      await deleteMap(namespace, 'one');
      await createMap(namespace, 'one');
      const added = await probe.event('the new one', (event) => event.type === 'ADDED');
      expect(probe.story).toEqual(['DELETED one', 'ADDED one']);
      expect(added.object.metadata.uid).not.toBe(old.metadata.uid);
    });

    test('does not show a write that changed nothing', async () => {
      const namespace = await newNamespace();
      const first = await createMap(namespace, 'one');
      await using probe = watch(CONFIG_MAPS, namespace, { resourceVersion: first.metadata.resourceVersion });
      const same = await patchMap(namespace, 'one', { data: { text: 'a' } });
      expect(same.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
      await patchMap(namespace, 'one', { data: { text: 'b' } });
      await probe.event('the real change', (event) => event.object.data?.['text'] === 'b');
      expect(probe.story).toEqual(['MODIFIED one']);
    });

    test('shows a deletion that waits for a finalizer as a change, and the end as DELETED', async () => {
      const namespace = await newNamespace();
      const first = await createMap(namespace, 'held', { finalizers: ['example.com/hold'] });
      await using probe = watch(CONFIG_MAPS, namespace, { resourceVersion: first.metadata.resourceVersion });
      await deleteMap(namespace, 'held');
      const marked = await probe.event('the mark', (event) => event.type === 'MODIFIED');
      expect(marked.object.metadata.deletionTimestamp).toBeDefined();
      await patchMap(namespace, 'held', { metadata: { finalizers: null } });
      await probe.event('the end', (event) => event.type === 'DELETED');
    });

    test('shows an object that leaves the selector as DELETED, as it was, at its new revision (SV-S13)', async () => {
      const namespace = await newNamespace();
      const first = await createMap(namespace, 'one', { labels: { tier: 'web' } });
      await using probe = watch(CONFIG_MAPS, namespace, { resourceVersion: first.metadata.resourceVersion, labelSelector: 'tier=web' });
      const left = await patchMap(namespace, 'one', { metadata: { labels: { tier: 'db' } } });
      const deleted = await probe.event('the leaving', (event) => event.type === 'DELETED');
      expect(deleted.object.metadata).toMatchObject({ labels: { tier: 'web' }, resourceVersion: left.metadata.resourceVersion });
      await patchMap(namespace, 'one', { metadata: { labels: { tier: 'web' } } });
      await probe.event('the return', (event) => event.type === 'ADDED');
    });

    test('ends cleanly at its timeout, with a bookmark shortly before when something had happened (SV-S8)', async () => {
      const namespace = await newNamespace();
      const first = await createMap(namespace, 'one');
      await using probe = watch(CONFIG_MAPS, namespace, { resourceVersion: first.metadata.resourceVersion, timeoutSeconds: 8 });
      await probe.opened();
      const second = await patchMap(namespace, 'one', { data: { text: 'b' } });
      const bookmark = await probe.event('a bookmark', (event) => event.type === 'BOOKMARK');
      expect(isNewer(second.metadata.resourceVersion, bookmark.object.metadata.resourceVersion)).toBe(false);
      expect(bookmark.object).toMatchObject({ kind: 'ConfigMap', apiVersion: 'v1' });
      expect(bookmark.object.metadata.annotations).toBeUndefined();
      expect(await probe.ended()).toBe('clean');
    });

    test('from a revision that is not there yet is accepted, silent, and ends cleanly (SV-S9)', async () => {
      const namespace = await newNamespace();
      await using probe = watch(CONFIG_MAPS, namespace, { resourceVersion: '900000000000', timeoutSeconds: 4 });
      await probe.opened();
      await createMap(namespace, 'one');
      expect(await probe.ended()).toBe('clean');
      expect(probe.events).toEqual([]);
    });

    test('of a kind that does not exist is refused, and never called open', async () => {
      const probe = watch(GADGETS, '', { resourceVersion: '1' });
      await probe.over;
      expect(probe.end).toBeInstanceOf(ApiError);
      expect(probe.end).toMatchObject({ status: 404 });
      expect(probe.opens).toBe(0);
    });

    test('ends with the error of its sink, and with the reason of its signal', async () => {
      const namespace = await newNamespace();
      await createMap(namespace, 'one');
      const thrown = new Error('enough');
      const stop = (): void => {
        throw thrown;
      };
      const query = { resourceVersion: '', sendInitialEvents: true, timeoutSeconds: 30 } as const;
      await expect(cluster.watch(CONFIG_MAPS, namespace, query, stop, () => {}, never())).rejects.toBe(thrown);
      const controller = new AbortController();
      const reason = new Error('shutting down');
      await expect(
        cluster.watch(
          CONFIG_MAPS,
          namespace,
          query,
          () => controller.abort(reason),
          () => {},
          controller.signal,
        ),
      ).rejects.toBe(reason);
    });
  });

  describe('a streaming list', () => {
    test('shows every object in key order, then the marked bookmark, then what happens (SV-S10)', async () => {
      const namespace = await newNamespace();
      for (const item of ['c', 'a', 'b']) await createMap(namespace, item);
      await using probe = watch(CONFIG_MAPS, namespace, { resourceVersion: '', sendInitialEvents: true });
      const marked = await probe.event('the end of the initial events', (event) => event.object.metadata.annotations?.['k8s.io/initial-events-end'] === 'true');
      expect(marked.type).toBe('BOOKMARK');
      expect(probe.story).toEqual(['ADDED a', 'ADDED b', 'ADDED c']);
      const revision = marked.object.metadata.resourceVersion;
      expect(probe.events.every((event) => !isNewer(event.object.metadata.resourceVersion, revision))).toBe(true);
      const later = await createMap(namespace, 'd');
      expect(isNewer(later.metadata.resourceVersion, revision)).toBe(true);
      await probe.event('what came later', (event) => event.object.metadata.name === 'd');
      expect(probe.story).toEqual(['ADDED a', 'ADDED b', 'ADDED c', 'ADDED d']);
    });

    test('of nothing is the marked bookmark alone (SV-S10)', async () => {
      await using probe = watch(CONFIG_MAPS, await newNamespace(), { resourceVersion: '', sendInitialEvents: true, labelSelector: 'no-such-label' });
      const first = await probe.event('anything', () => true);
      expect(first.type).toBe('BOOKMARK');
      expect(first.object.metadata.annotations).toEqual({ 'k8s.io/initial-events-end': 'true' });
    });

    test('from a revision that is not there yet is an ERROR event with 504 and a clean end (SV-S5, SV-S9)', async () => {
      await using probe = watch(CONFIG_MAPS, 'default', { resourceVersion: '900000000000', sendInitialEvents: true });
      const error = await probe.event('an error', (event) => event.type === 'ERROR');
      expect(error.object).toMatchObject({ code: 504, reason: 'Timeout' });
      expect(error.object.details?.causes?.map((cause) => cause.reason)).toContain('ResourceVersionTooLarge');
      expect(await probe.ended()).toBe('clean');
    });
  });
}
