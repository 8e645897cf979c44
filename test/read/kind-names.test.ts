import { describe, expect, test } from 'vitest';
import { kindId } from '../../src/model/kind.ts';
import { BUILTIN_KINDS, type ReadableKind } from '../../src/read/builtin-kinds.ts';
import { findKind, unknownKind } from '../../src/read/kind-names.ts';

const custom = (group: string, resource: string, kind: string, shortNames: readonly string[] = []): ReadableKind => ({
  group,
  resource,
  kind,
  namespaced: true,
  singular: kind.toLowerCase(),
  shortNames,
  categories: [],
});
const WIDGETS = custom('demo.example.com', 'widgets', 'Widget', ['wd']);
const OTHER_WIDGETS = custom('other.example.com', 'widgets', 'Widget');

const found = (text: string, kinds: readonly ReadableKind[], stored: readonly string[] = kinds.map(kindId)): string | null => {
  const kind = findKind(text, kinds, stored);
  return kind === null ? null : kindId(kind);
};

describe('a built-in kind is understood by', () => {
  test.each([
    ['pods', 'pods'],
    ['pod', 'pods'],
    ['Pod', 'pods'],
    ['PO', 'pods'],
    ['deploy', 'deployments.apps'],
    ['Deployment.apps', 'deployments.apps'],
    ['deployments.v1.apps', 'deployments.apps'],
    ['deploy.ap', 'deployments.apps'],
    ['pods.v1', 'pods'],
    ['svc', 'services'],
    ['ns', 'namespaces'],
    ['no', 'nodes'],
    ['cm', 'configmaps'],
    ['ds', 'daemonsets.apps'],
    ['sts', 'statefulsets.apps'],
    ['rs', 'replicasets.apps'],
    ['job', 'jobs.batch'],
    ['cj', 'cronjobs.batch'],
    ['pvc', 'persistentvolumeclaims'],
    ['pv', 'persistentvolumes'],
    ['sa', 'serviceaccounts'],
    ['ing.networking', 'ingresses.networking.k8s.io'],
    ['ep', 'endpoints'],
    ['crd', 'customresourcedefinitions.apiextensions.k8s.io'],
    ['hpa', 'horizontalpodautoscalers.autoscaling'],
    ['networkpolicy', 'networkpolicies.networking.k8s.io'],
  ])('%s: %s', (text, id) => {
    expect(found(text, BUILTIN_KINDS)).toBe(id);
  });
});

test('every built-in kind is found by its id, and every short name belongs to one kind, but for events', () => {
  for (const kind of BUILTIN_KINDS) expect(found(kindId(kind), BUILTIN_KINDS)).toBe(kindId(kind));
  const short = BUILTIN_KINDS.filter((kind) => kind.resource !== 'events').flatMap((kind) => kind.shortNames);
  expect(new Set(short).size).toBe(short.length);
});

test('events are those of the group that is stored', () => {
  expect(found('ev', BUILTIN_KINDS, ['events'])).toBe('events');
  expect(found('events', BUILTIN_KINDS, ['events.events.k8s.io'])).toBe('events.events.k8s.io');
  expect(found('events', BUILTIN_KINDS, [])).toBe('events');
});

test('a custom kind is found by all its names', () => {
  for (const text of ['widgets', 'widget', 'Widget', 'wd', 'WD', 'widgets.demo.example.com', 'widgets.v1beta1.demo.example.com', 'wd.demo']) {
    expect(found(text, [WIDGETS])).toBe('widgets.demo.example.com');
  }
  for (const text of ['widgets.other', 'widgets.v1', 'w', '', '.', 'constructor']) expect(found(text, [WIDGETS])).toBe(null);
});

test('a name of two stored groups is refused with both full names; of one stored group it is that one', () => {
  expect(() => found('wd', [custom('a.io', 'wds', 'Wd'), custom('b.io', 'wds', 'Wd')])).toThrow(
    '"wd" is the name of several kinds: wds.a.io, wds.b.io. Use one of these full names.',
  );
  expect(found('widgets.other', [WIDGETS, OTHER_WIDGETS])).toBe('widgets.other.example.com');
  expect(found('widgets', [WIDGETS, OTHER_WIDGETS], ['widgets.other.example.com'])).toBe('widgets.other.example.com');
});

test('an unknown name is answered with what was meant and what there is', () => {
  const error = unknownKind('podz', BUILTIN_KINDS, ['pods', 'nodes']);
  expect(error.message).toBe('No kind is called "podz"; did you mean pods? The copy holds: pods, nodes.');
  expect(unknownKind('qqqqqq', BUILTIN_KINDS, []).message).toBe('No kind is called "qqqqqq". The copy holds no kind yet.');
});
