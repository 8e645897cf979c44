import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { objectKey } from '../../src/model/key.ts';
import { kindId } from '../../src/model/kind.ts';
import { isNewer, isRevision } from '../../src/model/revision.ts';
import { until } from '../support/until.ts';
import { listContract } from './contract-list.ts';
import { watchContract } from './contract-watch.ts';
import { CONFIG_MAPS, createGround, GADGETS, GROUP, names, NAMESPACES, NOWHERE, PODS, refusal, WIDGETS } from './ground.ts';
import type { ClusterUnderTest, Ground } from './ground.ts';
import { never, readList } from './probe.ts';
import type { SeenObject } from './probe.ts';

/**
 * What the mirror relies on, from any API server: the same suite runs against the hollow server and a real kube-apiserver, so what the hollow
 * one shows in other tests is worth something. Rule ids are those of the semantics page; the facts were observed on kube-apiserver 1.36.
 */
export function clusterContract(name: string, open: () => Promise<ClusterUnderTest>): void {
  describe(`the cluster contract on ${name}`, () => {
    const ground = createGround();
    beforeAll(async () => ground.begin(await open()));
    afterAll(() => ground.end());

    readContract(ground);
    listContract(ground);
    watchContract(ground);
    shapeContract(ground);
    // Last: it takes history, and so every open watch, away from the others.
    historyContract(ground);
  });
}

function readContract(ground: Ground): void {
  const { cluster, api, newNamespace, createMap } = ground;

  describe('discovery', () => {
    test('names every kind that can be listed and watched, once, and nothing else', async () => {
      const { kinds, broken } = await cluster.discover(never());
      const ids = kinds.map(kindId);
      expect(broken).toEqual([]);
      expect(new Set(ids).size).toBe(ids.length);
      expect(ids).toEqual(expect.arrayContaining(['pods', 'configmaps', 'namespaces', 'deployments.apps', 'customresourcedefinitions.apiextensions.k8s.io']));
      expect(ids.filter((id) => id.includes('/') || id.includes('review'))).toEqual([]);
      const pods = kinds.find((kind) => kindId(kind) === 'pods');
      expect(pods).toMatchObject({ group: '', version: 'v1', resource: 'pods', kind: 'Pod', namespaced: true, singular: 'pod' });
      expect(pods?.shortNames).toContain('po');
      expect(pods?.categories).toContain('all');
      expect(kinds.find((kind) => kindId(kind) === 'namespaces')?.namespaced).toBe(false);
    });

    test('the identity of the cluster is the uid of kube-system and does not change', async () => {
      const uid = await until('kube-system exists', () => cluster.identity(never()));
      const answer = await api('/api/v1/namespaces/kube-system');
      expect(uid).toBe(answer.json<SeenObject>().metadata.uid);
      expect(await cluster.identity(never())).toBe(uid);
    });
  });

  describe('get', () => {
    test('gives the object, with kind and apiVersion', async () => {
      const namespace = await newNamespace();
      const created = await createMap(namespace, 'one');
      const body = await cluster.get(CONFIG_MAPS, objectKey(namespace, 'one'), never());
      const object = JSON.parse(Buffer.from(body ?? []).toString('utf8')) as SeenObject;
      expect(object).toMatchObject({ kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'one', namespace, uid: created.metadata.uid } });
      expect(isRevision(object.metadata.resourceVersion)).toBe(true);
      expect(JSON.parse(Buffer.from((await cluster.get(NAMESPACES, objectKey('', namespace), never())) ?? []).toString('utf8'))).toMatchObject({
        metadata: { name: namespace },
      });
    });

    test('gives null for an object that does not exist, and refuses a kind that does not', async () => {
      const namespace = await newNamespace();
      expect(await cluster.get(CONFIG_MAPS, objectKey(namespace, 'missing'), never())).toBeNull();
      expect((await refusal(cluster.get(GADGETS, objectKey(namespace, 'missing'), never()))).status).toBe(404);
      expect((await refusal(cluster.get(NOWHERE, objectKey(namespace, 'missing'), never()))).status).toBe(404);
    });
  });
}

function shapeContract(ground: Ground): void {
  const { cluster, newNamespace, createWidgets, deleteWidgetDefinition, write, watch } = ground;

  describe('the order of keys', () => {
    test('of a built-in kind has metadata before the rest, so a scanner may stop early', async () => {
      const namespace = await newNamespace();
      await using probe = watch(PODS, namespace, { resourceVersion: '', sendInitialEvents: true });
      await write(`/api/v1/namespaces/${namespace}/pods`, {
        method: 'POST',
        body: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'one', labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'none' }] } },
      });
      const { line } = await probe.event('the pod', (event) => event.type === 'ADDED');
      expect(line).toMatch(/^\{"type":"ADDED","object":\{"kind":"Pod","apiVersion":"v1","metadata":\{"name":"one","namespace":/);
      expect(Object.keys((JSON.parse(line) as { object: object }).object).slice(0, 4)).toEqual(['kind', 'apiVersion', 'metadata', 'spec']);
    });

    test('of a custom resource is alphabetic everywhere: the list revision comes after the items', async () => {
      const namespace = await newNamespace();
      await createWidgets(namespace, ['one']);
      const { list, text } = await readList(cluster, WIDGETS, namespace);
      expect(text).toMatch(new RegExp(`^\\{"apiVersion":"${GROUP}/v1","items":\\[`));
      expect(text.lastIndexOf('"resourceVersion"')).toBeGreaterThan(text.lastIndexOf('"uid"'));
      expect(list.kind).toBe('WidgetList');
      expect(list.items[0]).toMatchObject({ kind: 'Widget', apiVersion: `${GROUP}/v1` });
      const [item] = list.items;
      for (const keys of [Object.keys(item ?? {}), Object.keys(item?.metadata ?? {})]) expect(keys).toEqual(keys.toSorted());
      await using probe = watch(WIDGETS, namespace, { resourceVersion: '', sendInitialEvents: true });
      const marked = await probe.event('the end of the initial events', (event) => event.type === 'BOOKMARK');
      expect(Object.keys(marked.object)).toEqual(['apiVersion', 'kind', 'metadata']);
      expect(probe.events[0]?.line).toMatch(/^\{"type":"ADDED","object":\{"apiVersion":/);
    });
  });

  describe('a custom resource definition', () => {
    test('brings its kind, and takes it away: every object is DELETED, the watch ends, the list is 404', async () => {
      const namespace = await newNamespace();
      await createWidgets(namespace, ['one', 'two']);
      const { kinds } = await cluster.discover(never());
      expect(kinds.find((kind) => kindId(kind) === `widgets.${GROUP}`)).toEqual(WIDGETS);
      const { list } = await readList(cluster, WIDGETS, namespace);
      await using probe = watch(WIDGETS, namespace, { resourceVersion: list.metadata.resourceVersion });
      await probe.opened();
      await deleteWidgetDefinition();
      expect(await probe.ended()).toBe('clean');
      expect(probe.story.toSorted()).toEqual(['DELETED one', 'DELETED two']);
      await until('the kind is gone', async () => !(await cluster.discover(never())).kinds.some((kind) => kind.group === GROUP));
      const error = await until('the list is refused', () =>
        readList(cluster, WIDGETS, namespace).then(
          () => null,
          (cause: unknown) => cause,
        ),
      );
      expect(error).toMatchObject({ status: 404 });
    });
  });
}

function historyContract(ground: Ground): void {
  const { cluster, forgetHistory, newNamespace, createMap, watch } = ground;

  describe('after history was lost', () => {
    test('old revisions answer 410 in both shapes (SV-S5), and a continue token offers an inconsistent way on (SV-S3)', async () => {
      const namespace = await newNamespace();
      for (const item of ['a', 'b', 'c', 'd']) await createMap(namespace, item);
      const page = await readList(cluster, CONFIG_MAPS, namespace, { limit: 2 });
      const old = page.list.metadata.resourceVersion;
      const other = await newNamespace();
      for (let i = 0; i < 5; i += 1) await createMap(other, `later-${i}`);
      await forgetHistory();
      for (let i = 5; i < 10; i += 1) await createMap(other, `later-${i}`);

      await using probe = watch(CONFIG_MAPS, namespace, { resourceVersion: old });
      const error = await probe.event('an error', (event) => event.type === 'ERROR');
      expect(error.object).toMatchObject({ kind: 'Status', code: 410, reason: 'Expired' });
      expect(await probe.ended()).toBe('clean');
      expect(probe.opens).toBe(1);
      expect(probe.events).toHaveLength(1);

      const exact = await refusal(readList(cluster, CONFIG_MAPS, namespace, { resourceVersion: old, resourceVersionMatch: 'Exact' }));
      expect(exact).toMatchObject({ status: 410, reason: 'Expired' });

      const more = { limit: 2, continue: page.list.metadata.continue };
      const expired = await refusal(readList(cluster, CONFIG_MAPS, namespace, more));
      expect(expired).toMatchObject({ status: 410, reason: 'Expired' });
      expect(expired.continueToken).not.toBeNull();
      const rest = await readList(cluster, CONFIG_MAPS, namespace, { limit: 2, continue: expired.continueToken ?? '' });
      expect(names(rest.list.items)).toEqual(['c', 'd']);
      expect(isNewer(rest.list.metadata.resourceVersion, old)).toBe(true);
    });

    test('a new list and its watch go on as if nothing had been', async () => {
      const namespace = await newNamespace();
      const { list } = await readList(cluster, CONFIG_MAPS, namespace);
      await using probe = watch(CONFIG_MAPS, namespace, { resourceVersion: list.metadata.resourceVersion });
      await createMap(namespace, 'one');
      await probe.event('the new one', (event) => event.type === 'ADDED');
    });
  });
}
