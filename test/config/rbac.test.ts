import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import { podRoleFor, roleFor } from '../../src/config/rbac.ts';
import { compileRules } from '../../src/config/rules.ts';
import type { Kind } from '../../src/model/kind.ts';
import { CLUSTER, kindOf } from './kinds.ts';

interface Role {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly rules: readonly {
    readonly apiGroups?: string[];
    readonly resources?: string[];
    readonly resourceNames?: string[];
    readonly nonResourceURLs?: string[];
    readonly verbs: string[];
  }[];
}

function roles(kinds: readonly Kind[] | null, text: string): readonly Role[] {
  return parseAllDocuments(roleFor(kinds, compileRules(loadConfig({ text, file: 'x' })))).map((document) => document.toJS() as Role);
}

const DISCOVERY = { nonResourceURLs: ['/api', '/api/*', '/apis', '/apis/*'], verbs: ['get'] };
const READ = ['get', 'list', 'watch'];
const CRDS = { apiGroups: ['apiextensions.k8s.io'], resources: ['customresourcedefinitions'], verbs: ['list', 'watch'] };
const APISERVICES = { apiGroups: ['apiregistration.k8s.io'], resources: ['apiservices'], verbs: ['list', 'watch'] };
const IDENTITY = { apiGroups: [''], resources: ['namespaces'], verbs: ['get'], resourceNames: ['kube-system'] };

describe('the least role, with a cluster', () => {
  test('names exactly what is mirrored, by group, and neither Secrets nor Leases nor a wildcard', () => {
    expect(roles(CLUSTER, '')).toEqual([
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRole',
        metadata: { name: 'kubefold' },
        rules: [
          { apiGroups: [''], resources: ['configmaps', 'namespaces', 'nodes', 'pods'], verbs: READ },
          { apiGroups: ['apps'], resources: ['deployments'], verbs: READ },
          { apiGroups: ['example.com'], resources: ['widgets'], verbs: READ },
          CRDS,
          APISERVICES,
          DISCOVERY,
        ],
      },
    ]);
  });

  test('Secrets appear when a rule asks for them', () => {
    expect(roles(CLUSTER, 'kinds: [secrets]')[0]?.rules).toEqual([
      { apiGroups: [''], resources: ['secrets'], verbs: READ },
      IDENTITY,
      CRDS,
      APISERVICES,
      DISCOVERY,
    ]);
  });

  test('CRDs that are mirrored need no second line', () => {
    const crd = kindOf('!apiextensions.k8s.io/v1 customresourcedefinitions CustomResourceDefinition crd');
    const rules = roles([crd], '')[0]?.rules;
    expect(rules).toEqual([{ apiGroups: ['apiextensions.k8s.io'], resources: ['customresourcedefinitions'], verbs: READ }, IDENTITY, APISERVICES, DISCOVERY]);
  });

  test('literal namespaces get a Role each, and the ClusterRole nothing of those kinds', () => {
    const found = roles(
      CLUSTER,
      'namespaces: [team-a, team-b]\nresources: [{ kinds: [pods], namespaces: { exclude: [team-b] } }, { kinds: [nodes] }, { kinds: [Widget, cm], mirror: false }]',
    );
    expect(found.map(({ kind, metadata, rules }) => [kind, metadata.namespace, rules.filter(({ verbs }) => verbs.length === 3)])).toEqual([
      ['ClusterRole', undefined, [{ apiGroups: [''], resources: ['nodes'], verbs: READ }]],
      [
        'Role',
        'team-a',
        [
          { apiGroups: [''], resources: ['pods'], verbs: READ },
          { apiGroups: ['apps'], resources: ['deployments'], verbs: READ },
        ],
      ],
      ['Role', 'team-b', [{ apiGroups: ['apps'], resources: ['deployments'], verbs: READ }]],
    ]);
    for (const role of found.slice(1)) expect(role.rules.some((rule) => rule.nonResourceURLs !== undefined)).toBe(false);
  });
});

describe('the least role for pods that name their top workload', () => {
  const kinds = [...CLUSTER, kindOf('apps/v1 replicasets ReplicaSet rs'), kindOf('batch/v1 jobs Job')];
  const LOOK_UP = ['get', 'list'];
  const lookUps = (text: string, known: readonly Kind[] | null = kinds): readonly (readonly string[])[] =>
    roles(known, text).map(({ rules }) => rules.filter(({ verbs }) => verbs.join() === LOOK_UP.join()).flatMap(({ resources = [] }) => resources));

  test('lets owners be looked up whose kinds the cluster has and the rules leave out', () => {
    expect(roles(kinds, 'resources: [{ kinds: [pods], annotateWorkload: true }, { kinds: ["*"], mirror: false }]')[0]?.rules).toEqual([
      { apiGroups: [''], resources: ['pods'], verbs: READ },
      { apiGroups: [''], resources: ['nodes'], verbs: LOOK_UP },
      { apiGroups: ['apps'], resources: ['deployments', 'replicasets'], verbs: LOOK_UP },
      { apiGroups: ['batch'], resources: ['jobs'], verbs: LOOK_UP },
      IDENTITY,
      CRDS,
      APISERVICES,
      DISCOVERY,
    ]);
  });

  test('gives nothing for what is mirrored, nor to rules that do not ask', () => {
    expect(lookUps('resources: [{ kinds: [pods], annotateWorkload: true }]')).toEqual([[]]);
    expect(lookUps('resources: [{ kinds: [pods] }, { kinds: ["*"], mirror: false }]')).toEqual([[]]);
    expect(lookUps('resources: [{ kinds: [pods], annotateWorkload: true }, { kinds: [rs, nodes] }, { kinds: ["*"], mirror: false }]')).toEqual([
      ['deployments', 'jobs'],
    ]);
  });

  test('asks in each namespace that is mirrored by itself, and for nothing there that has none', () => {
    const rules = 'resources: [{ kinds: [pods], annotateWorkload: true }, { kinds: [jobs.batch] }, { kinds: ["*"], mirror: false }]';
    expect(lookUps(`namespaces: [team-a]\n${rules}`)).toEqual([[], ['deployments', 'replicasets']]);
  });

  test('without a cluster names what Kubernetes itself puts over pods; in the storage of bcs-k8s-watch for pods without being asked', () => {
    const all = ['nodes', 'replicationcontrollers', 'daemonsets', 'deployments', 'replicasets', 'statefulsets', 'cronjobs', 'jobs'];
    expect(lookUps('resources: [{ kinds: [pods], annotateWorkload: true }, { kinds: ["*"], mirror: false }]', null)).toEqual([all]);
    expect(lookUps('kinds: [pods]\nstorage: { url: "bcs+http://storage-1:50024" }', null)).toEqual([all]);
    expect(lookUps('kinds: [pods]', null)).toEqual([[]]);
  });
});

test('who lets tokens of the cluster in may ask whose they are and what they may, and nobody else may', () => {
  const reviews = [
    { apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] },
    { apiGroups: ['authorization.k8s.io'], resources: ['subjectaccessreviews'], verbs: ['create'] },
  ];
  for (const kinds of [null, CLUSTER]) {
    for (const text of ['kinds: [pods]', '']) {
      const rules = compileRules(loadConfig({ text, file: 'x' }));
      const rulesOf = (tokenReview: boolean): Role['rules'] =>
        (parseAllDocuments(roleFor(kinds, rules, { name: 'x', tokenReview }))[0]?.toJS() as Role | undefined)?.rules ?? [];
      expect(rulesOf(true)).toEqual([...rulesOf(false).slice(0, -1), ...reviews, DISCOVERY]);
      expect(JSON.stringify(rulesOf(false))).not.toContain('create');
    }
  }
});

test('in the namespace of the pod one lease needs its name only, and shards every lease, which have names that nobody knows before', () => {
  const rulesOf = (text: string): Role['rules'] => {
    const { leaderElection, shards } = loadConfig({ text, file: 'x' });
    return (parseAllDocuments(podRoleFor(leaderElection, { name: 'x', shards }))[0]?.toJS() as Role | undefined)?.rules ?? [];
  };
  const events = { apiGroups: [''], resources: ['events'], verbs: ['create'] };
  const leases = { apiGroups: ['coordination.k8s.io'], resources: ['leases'] };
  expect(rulesOf('')).toEqual([events]);
  expect(rulesOf('leaderElection: { enabled: true, name: copy }')).toEqual([
    events,
    { ...leases, verbs: ['create'] },
    { ...leases, resourceNames: ['copy'], verbs: ['get', 'update', 'watch'] },
  ]);
  expect(rulesOf('shards: 2\nleaderElection: { enabled: true, name: copy }')).toEqual([
    events,
    { ...leases, verbs: ['create', 'get', 'list', 'watch', 'update', 'delete'] },
  ]);
});

describe('the least role, without a cluster', () => {
  test('literal kinds are taken as they are', () => {
    const expected = [
      { apiGroups: [''], resources: ['pods'], verbs: READ },
      { apiGroups: ['apps'], resources: ['deployments'], verbs: READ },
      IDENTITY,
      CRDS,
      APISERVICES,
      DISCOVERY,
    ];
    expect(roles(null, 'kinds: [deployments.apps, pods]')[0]?.rules).toEqual(expected);
    expect(roles(null, 'resources: [{ kinds: [pods, deployments.apps] }, { kinds: ["*"], mirror: false }]')[0]?.rules).toEqual(expected);
    expect(roles(null, 'kinds: [deployments.apps, pods, nodes]\nresources: [{ kinds: [nodes], mirror: false }]')[0]?.rules).toEqual(expected);
  });

  test('Secrets named after a rule that takes everything else out are still read', () => {
    expect(roles(null, 'resources: [{ kinds: ["*"], mirror: false }, { kinds: [secrets, pods] }]')[0]?.rules[0]).toEqual({
      apiGroups: [''],
      resources: ['secrets'],
      verbs: READ,
    });
  });

  test('where defaults or wildcards decide, everything, with a warning in capitals', () => {
    for (const text of ['', 'kinds: ["*.apps"]', 'kinds: [Pod]', 'resources: [{ kinds: ["*.apps"] }, { kinds: ["*"], mirror: false }]']) {
      expect(roles(null, text)[0]?.rules).toEqual([{ apiGroups: ['*'], resources: ['*'], verbs: READ }, DISCOVERY]);
      expect(roleFor(null, compileRules(loadConfig({ text, file: 'x' })))).toContain('SECRETS INCLUDED');
    }
  });
});
