import { expect, test } from 'vitest';
import { collectionPath, listQuery, objectPath, watchQuery } from '../../src/cluster/paths.ts';
import { objectKey } from '../../src/model/key.ts';
import type { Kind } from '../../src/model/kind.ts';

const pods: Kind = { group: '', version: 'v1', resource: 'pods', kind: 'Pod', namespaced: true, singular: 'pod', shortNames: [], categories: [] };
const roles: Kind = { ...pods, group: 'rbac.authorization.k8s.io', resource: 'clusterroles', kind: 'ClusterRole', namespaced: false };

test('paths name group, version, namespace and resource', () => {
  expect(collectionPath(pods, '')).toBe('/api/v1/pods');
  expect(collectionPath(pods, 'kube-system')).toBe('/api/v1/namespaces/kube-system/pods');
  expect(collectionPath(roles, '')).toBe('/apis/rbac.authorization.k8s.io/v1/clusterroles');
  expect(objectPath(pods, objectKey('a', 'b'))).toBe('/api/v1/namespaces/a/pods/b');
});

test('names with signs that mean something in a URL are escaped', () => {
  expect(objectPath(roles, objectKey('', 'system:node?x=1#y z'))).toBe('/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode%3Fx%3D1%23y%20z');
});

test('a list query leaves out what is absent and escapes the rest', () => {
  expect(listQuery({})).toBe('');
  expect(listQuery({ resourceVersion: '' })).toBe('');
  expect(listQuery({ limit: 500, continue: 'a+/=', resourceVersion: '0', labelSelector: 'tier!=scratch,a in (b, c)' })).toBe(
    '?limit=500&continue=a%2B%2F%3D&resourceVersion=0&labelSelector=tier!%3Dscratch%2Ca%20in%20(b%2C%20c)',
  );
});

test('a watch always asks for bookmarks, and a streaming list as WL-S2 says', () => {
  expect(watchQuery({ resourceVersion: '12', timeoutSeconds: 300 })).toBe('?watch=true&allowWatchBookmarks=true&timeoutSeconds=300&resourceVersion=12');
  expect(watchQuery({ resourceVersion: '', timeoutSeconds: 300, sendInitialEvents: true })).toBe(
    '?watch=true&allowWatchBookmarks=true&timeoutSeconds=300&sendInitialEvents=true&resourceVersionMatch=NotOlderThan',
  );
});
